#!/bin/sh
# Checks an evidence bundle with standard tools only: sha256sum, ssh-keygen,
# openssl (for time stamps), find, awk and a POSIX shell. It needs no network and
# none of the software that made the bundle. It reads, and writes nothing but the
# lines of the custody log, for a while, into a folder of its own under $TMPDIR,
# /dev/shm or /tmp, where it may: a long log is checked faster so.
#
#   sh verify.sh [--signer-fingerprint SHA256:...] [--tsa-ca FILE] [FOLDER]
#
# FOLDER is the bundle; without it, the folder that this script is in.
# Exit status: 0 every check passed, 1 a check failed, 2 a check that must be
# made could not be made (or the command line is wrong).

set -uf
LC_ALL=C
export LC_ALL
unset CDPATH

usage() {
	echo "usage: sh verify.sh [--signer-fingerprint SHA256:...] [--tsa-ca FILE] [FOLDER]" >&2
	exit 2
}

fingerprint= tsa_ca= dir=
while [ $# -gt 0 ]; do
	case $1 in
	--signer-fingerprint) [ $# -ge 2 ] && [ -n "$2" ] || usage; fingerprint=$2; shift 2 ;;
	--signer-fingerprint=?*) fingerprint=${1#*=}; shift ;;
	--tsa-ca) [ $# -ge 2 ] && [ -n "$2" ] || usage; tsa_ca=$2; shift 2 ;;
	--tsa-ca=?*) tsa_ca=${1#*=}; shift ;;
	--) shift; break ;;
	-*) usage ;;
	*) break ;;
	esac
done
[ $# -le 1 ] || usage
if [ $# -eq 1 ]; then
	dir=$1
else
	case $0 in */*) dir=${0%/*} ;; *) dir=. ;; esac
fi
case $dir in '') dir=/ ;; /* | ./* | ../* | . | ..) ;; *) dir=./$dir ;; esac
case $tsa_ca in '' | /*) ;; *) tsa_ca=$(pwd)/$tsa_ca ;; esac

# Tools come from absolute folders only: never from the bundle we enter.
path=
IFS=:
for p in $PATH; do
	case $p in /*) path=${path:+$path:}$p ;; esac
done
unset IFS
PATH=$path

cd "$dir" || { echo "cannot enter the bundle's folder" >&2; exit 2; }

failed=0 skipped=0
pass() { printf 'PASS  %s\n' "$1"; }
fail() { printf 'FAIL  %s\n' "$1"; failed=1; }
skip() { printf 'SKIP  %s (%s)\n' "$1" "$2"; }
must() { skip "$1" "$2"; skipped=1; } # a check that must be made and could not be
have() { command -v "$1" >/dev/null 2>&1; }
plain() { tr -c 'A-Za-z0-9._/: \n-' '?' | awk 'NR <= 20 { print "      " substr($0, 1, 200) } NR == 21 { print "      ..." }'; }

finish() {
	echo
	echo "Keys and time stamp roots inside the bundle prove nothing unless they are compared with"
	echo "values from outside: --signer-fingerprint, --tsa-ca. The same holds for this script."
	if [ $failed -ne 0 ]; then
		echo "RESULT: FAILED"
		exit 1
	fi
	if [ $skipped -ne 0 ]; then
		echo "RESULT: INCOMPLETE, a check that must be made was skipped"
		exit 2
	fi
	echo "RESULT: every check passed"
	exit 0
}

for tool in find awk sed tr wc cut; do
	have $tool || { must "tools" "$tool is missing"; finish; }
done

tag=tagmanifest-sha256.txt
pay=manifest-sha256.txt
att=attest/manifest-sha256.txt
sig=attest/tagmanifest-sha256.txt.sig
signers=attest/allowed_signers
zeros=0000000000000000000000000000000000000000000000000000000000000000

# 0. Nothing but plain files and folders with plain names. What is not is never
# opened: a link or a device could lead anywhere.
odd=$(find . ! -type f ! -type d 2>&1; find . ! -name . \( -name '*[!A-Za-z0-9._-]*' -o -name '.*' -o -name '-*' \) 2>&1)
if [ -n "$odd" ]; then
	fail "0 plain files: links, special files, unreadable folders or odd names"
	printf '%s\n' "$odd" | plain
	echo "      stopped: the rest is not safe to read"
	finish
fi
pass "0 plain files"

if [ ! -f $tag ] && [ ! -f $pay ] && [ ! -f bagit.txt ]; then
	fail "1 tag manifest: this folder is not an evidence bundle"
	finish
fi

# manifest_form FILE PATTERN: prints the number of lines of a manifest in the
# one form that is written: SHA-256, two spaces, plain path, newline; no path
# twice. Fails on any other.
manifest_form() {
	[ -f "$1" ] || return 1
	[ "$(tr -d 'A-Za-z0-9._/ \n-' <"$1" | wc -c | tr -d ' ')" = 0 ] || return 1
	[ "$(wc -l <"$1" | tr -d ' ')" = "$(awk 'END { print NR }' "$1")" ] || return 1
	awk -v re="$2" '
		{
			sum = substr($0, 1, 64); path = substr($0, 67)
			if (length(sum) != 64 || sum ~ /[^0-9a-f]/ || substr($0, 65, 2) != "  ") bad = 1
			if (path !~ /^[A-Za-z0-9._\/-]+$/ || path !~ re || path ~ /(^|\/)[.-]/ || path ~ /\/\// || path ~ /\/$/) bad = 1
			if (length(path) > 180 || path in seen) bad = 1
			seen[path] = 1
		}
		END { if (bad || NR == 0) exit 1; print NR }' "$1"
}

# manifest_check STEP FILE PATTERN
manifest_check() {
	if ! have sha256sum; then
		must "$1" "sha256sum is missing"
		return
	fi
	if ! lines=$(manifest_form "$2" "$3"); then
		fail "$1: $2 is missing or not in the form of a manifest"
		return
	fi
	if said=$(sha256sum -c "$2" 2>/dev/null | awk -v n="$lines" '
		/: OK$/ { ok++; next } { print } END { exit !(ok == n) }'); then
		pass "$1: $lines files unchanged"
	else
		fail "$1: files are missing or were changed"
		printf '%s\n' "$said" | plain
	fi
}

# 1, 2. The manifests.
manifest_check "1 tag manifest" $tag '^[^/]+$'
manifest_check "2 payload manifest" $pay '^data/.'

# info LABEL: the value of a line of bag-info.txt that stands there once.
info() {
	[ -f bag-info.txt ] || return 1
	awk -v label="$1: " 'index($0, label) == 1 { n++; value = substr($0, length(label) + 1) } END { if (n != 1) exit 1; print value }' bag-info.txt
}
profile=$(info Evidence-Profile) || profile=unknown

# 3. Nothing was added: sha256sum does not notice that.
if ! manifest_form $tag '^[^/]+$' >/dev/null || ! manifest_form $pay '^data/.' >/dev/null || ! manifest_form $att '^attest/.' >/dev/null; then
	fail "3 nothing added: there is no whole list to compare with"
elif extra=$({ find . -type f; find . -type d | sed 's,$,/,'; } | awk -v tag=$tag -v pay=$pay -v att=$att '
	function want(name, at) {
		wanted["./" name] = 1
		for (at = length(name); at > 0; at--) if (substr(name, at, 1) == "/") wanted["./" substr(name, 1, at)] = 1
	}
	BEGIN {
		while ((getline line < tag) > 0) want(substr(line, 67))
		while ((getline line < pay) > 0) want(substr(line, 67))
		while ((getline line < att) > 0) want(substr(line, 67))
		want(tag); want(att); want(att ".sig")
		wanted["./"] = 1
	}
	!($0 in wanted) { print; bad = 1 }
	END { exit bad }'); then
	pass "3 nothing added"
else
	fail "3 nothing added: these are in no manifest"
	printf '%s\n' "$extra" | plain
fi

# 4. The payload's size.
if [ -d data ]; then
	oxum=$(find data -type f -exec wc -c {} + | awk '$2 != "total" { bytes += $1; n++ } END { printf "%.0f.%d", bytes, n }')
else
	oxum=none
fi
if want=$(info Payload-Oxum) && [ "$want" = "$oxum" ]; then
	pass "4 payload size: $oxum (bytes.files)"
else
	fail "4 payload size: data/ has $oxum (bytes.files), bag-info.txt says otherwise"
fi

# 5. The bag's own files are all under the tag manifest.
missing=
for f in bagit.txt bag-info.txt manifest-sha256.txt README.txt VERIFY.txt verify.sh EVIDENCE-GUIDE.md index.html; do
	[ -f $tag ] && awk -v f=$f 'substr($0, 67) == f { found = 1 } END { exit !found }' $tag || missing="$missing $f"
done
if [ -z "$missing" ] && [ "$(awk 'END { print NR }' $tag)" = 8 ]; then
	pass "5 tag files"
else
	fail "5 tag files: the tag manifest does not list exactly the bag's own files:$missing"
fi

# same FILE TEXT: the file is that one line, byte for byte.
same() {
	[ "$(awk '{ print }' "$1")" = "$2" ] && [ "$(wc -c <"$1" | tr -d ' ')" = "$(printf '%s\n' "$2" | wc -c | tr -d ' ')" ]
}

# sig_form FILE: the signature is in exactly the form that ssh-keygen writes.
sig_form() {
	[ "$(tr -d 'A-Za-z0-9+/= \n-' <"$1" | wc -c | tr -d ' ')" = 0 ] || return 1
	[ "$(wc -l <"$1" | tr -d ' ')" = "$(awk 'END { print NR }' "$1")" ] || return 1
	awk '
		NR == 1 { if ($0 != "-----BEGIN SSH SIGNATURE-----") bad = 1; next }
		ended { bad = 1 }
		$0 == "-----END SSH SIGNATURE-----" { ended = 1; next }
		/[^A-Za-z0-9+\/=]/ || length($0) > 70 || length($0) == 0 || short { bad = 1 }
		length($0) < 70 { short = 1 }
		END { exit (bad || !ended) }' "$1"
}

# 6. The signature, and that of the files beside the bag, which its manifests
# cannot cover.
signature() {
	if ! have ssh-keygen; then
		must "6 signature" "ssh-keygen is missing"
		return
	fi
	for f in $tag $sig $signers $att $att.sig; do
		[ -f $f ] || { fail "6 signature: $f is missing"; return; }
	done
	identity=$(info Evidence-Signer) && namespace=$(info Evidence-Signature-Namespace) && claimed=$(info Evidence-Signer-Fingerprint) ||
		{ fail "6 signature: bag-info.txt names no signer"; return; }
	case $identity$namespace$claimed in *[!A-Za-z0-9._@:+/-]*) fail "6 signature: bag-info.txt names no plain signer"; return ;; esac
	case $identity in -* | '') fail "6 signature: bag-info.txt names no plain signer"; return ;; esac
	case $namespace in evidence-bundle@?*) ;; *) fail "6 signature: its namespace is not one of evidence bundles"; return ;; esac
	key=$(awk 'NR == 1 { print $4 }' $signers)
	case $key in *[!A-Za-z0-9+/=]* | '') fail "6 signature: $signers holds no key"; return ;; esac
	beside=evidence-attest@${namespace#evidence-bundle@}
	same $signers "$identity namespaces=\"$namespace,$beside\" ssh-ed25519 $key" ||
		{ fail "6 signature: $signers does not name one key for $identity in $namespace and $beside, and nothing else"; return; }
	actual=$(printf 'ssh-ed25519 %s\n' "$key" | ssh-keygen -l -f - 2>/dev/null | cut -d' ' -f2)
	[ -n "$actual" ] && [ "$actual" = "$claimed" ] ||
		{ fail "6 signature: the key in $signers is not the one that bag-info.txt names"; return; }
	sig_form $sig || { fail "6 signature: $sig is not in the form that ssh-keygen writes"; return; }
	if ssh-keygen -Y verify -f $signers -I "$identity" -n "$namespace" -s $sig <$tag >/dev/null 2>&1; then
		pass "6 signature: by $identity, key $actual"
	else
		fail "6 signature: it does not verify over $tag as $identity in $namespace"
		return
	fi
	besides
	if [ -z "$fingerprint" ]; then
		skip "6a signing key" "not compared: give --signer-fingerprint from outside the bundle"
	elif [ "$fingerprint" = "$actual" ]; then
		pass "6a signing key: it is the one given on the command line"
	else
		fail "6a signing key: it is not the one given on the command line"
	fi
}

# besides: the manifest of attest/ and its signature, by the same key.
besides() {
	manifest_check "6b beside the bag" $att '^attest/.'
	for f in $sig $signers attest/NOTE.txt; do
		awk -v f=$f 'substr($0, 67) == f { found = 1 } END { exit !found }' $att || fail "6b beside the bag: $att does not list $f"
	done
	sig_form $att.sig || { fail "6b beside the bag: $att.sig is not in the form that ssh-keygen writes"; return; }
	ssh-keygen -Y verify -f $signers -I "$identity" -n "$beside" -s $att.sig <$att >/dev/null 2>&1 ||
		fail "6b beside the bag: the signature does not verify over $att as $identity in $beside"
}
signature

# 7. Time stamps (RFC 3161). A certificate may have expired since: then the
# stamp is checked as of its own time, and the line says so.
stamp() {
	t=$1
	n=${t#attest/tagmanifest-sha256.txt} n=${n%.tsr}
	ca=${tsa_ca:-attest/tsa-ca$n.pem}
	[ -f "$ca" ] || { must "7 time stamp $t" "no TSA root: give --tsa-ca FILE"; return; }
	set -- -verify -data $tag -in "$t" -CAfile "$ca"
	[ -f "attest/tsa-chain$n.pem" ] && set -- "$@" -untrusted "attest/tsa-chain$n.pem"
	when=$(openssl ts -reply -in "$t" -text 2>/dev/null | sed -n 's/^Time stamp: //p')
	if openssl ts "$@" >/dev/null 2>&1; then
		pass "7 time stamp $t: $when"
		return
	fi
	epoch=$(printf '%s\n' "$when" | awk '
		{
			m = (index("JanFebMarAprMayJunJulAugSepOctNovDec", $1) + 2) / 3; split($3, c, ":"); y = $4
			if (m < 3) { y--; m += 12 }
			days = 365 * y + int(y / 4) - int(y / 100) + int(y / 400) + int((153 * (m - 3) + 2) / 5) + $2 - 719469
			printf "%.0f", ((days * 24 + c[1]) * 60 + c[2]) * 60 + int(c[3])
		}')
	if [ -n "$when" ] && openssl ts "$@" -attime "$epoch" >/dev/null 2>&1; then
		pass "7 time stamp $t: $when (its certificate has expired since; valid at that time)"
	else
		fail "7 time stamp $t: it does not verify over $tag"
	fi
}
stamps=$(find attest -type f -name '*.tsr' 2>/dev/null)
if [ -z "$stamps" ]; then
	skip "7 time stamp" "not time-stamped: nothing in the bundle proves when it was made"
elif ! have openssl; then
	must "7 time stamp" "openssl is missing"
else
	for t in $stamps; do stamp "$t"; done
	[ -n "$tsa_ca" ] || skip "7a TSA root" "not compared: give --tsa-ca from outside the bundle"
fi

# chain_quickly LOG: prints the number of lines and the head of a log that is one
# chain. It may fail for any reason: chain_slowly says what is wrong. Each line goes
# into a file of its own, a thousand at a time, and one sha256sum takes them all.
chain_quickly() {
	have mkdir && have rm || return 1
	for work in "${TMPDIR:-/dev/shm}" /dev/shm /tmp nowhere; do
		case $work in nowhere) return 1 ;; *[!A-Za-z0-9._/-]* | [!/]*) continue ;; esac
		work=$work/verify.$$
		(umask 077 && mkdir "$work") 2>/dev/null && break
	done
	trap 'rm -rf "$work"; exit 2' HUP INT TERM
	awk -F '\n' -v dir="$work" -v prev=$zeros '
		function batch(  cmd, i, n, out) {
			if (!held) return
			cmd = "cd " dir " && sha256sum"
			for (i = 1; i <= held; i++) cmd = cmd " " i
			while ((cmd | getline out) > 0) {
				n++
				if (out != substr(out, 1, 64) "  " n || !index(line[n], "\"prev\":\"" prev "\"")) { bad = 1; break }
				prev = substr(out, 1, 64)
			}
			close(cmd)
			if (n != held) bad = 1
			held = 0
		}
		{
			last = "\"seq\":" (NR - 1) "}"
			if (substr($0, length($0) - length(last) + 1) != last && !index($0, "\"seq\":" (NR - 1) ",")) { bad = 1; exit }
			line[++held] = $0
			file = dir "/" held
			printf "%s\n", $0 >file
			close(file)
			if (held == 1000) { batch(); if (bad) exit }
		}
		END { if (!bad) batch(); if (bad) exit 1; printf "%d %s\n", NR, prev }' "$1" 2>/dev/null
	status=$?
	rm -rf "$work"
	trap - HUP INT TERM
	return $status
}

# chain_slowly LOG: sets n and prev to the number of lines and the head, or says
# which line breaks the chain.
chain_slowly() {
	n=0 prev=$zeros l=
	while IFS= read -r l; do
		case $l in
		*"\"prev\":\"$prev\""*) ;;
		*) fail "8 custody log: line $((n + 1)) does not follow the line before it"; return 1 ;;
		esac
		case $l in
		*"\"seq\":$n}" | *"\"seq\":$n,"*) ;;
		*) fail "8 custody log: line $((n + 1)) does not have seq $n"; return 1 ;;
		esac
		prev=$(printf '%s\n' "$l" | sha256sum)
		prev=${prev%% *}
		n=$((n + 1)) l=
	done <"$1"
	[ -z "$l" ] || { fail "8 custody log: the last line does not end with a newline"; return 1; }
}

# 8. The custody log is one chain from zero to the head that was signed.
custody() {
	log=data/custody/custody.jsonl
	if [ "$profile" = platform ]; then
		[ ! -d data/custody ] || { fail "8 custody log: it is no part of a bundle for a platform"; return; }
		skip "8 custody log" "no part of a bundle for a platform"
		return
	fi
	if ! have sha256sum; then
		must "8 custody log" "sha256sum is missing"
		return
	fi
	[ -f $log ] || { fail "8 custody log: $log is missing"; return; }
	if [ "$(tr -d '\000' <$log | wc -c | tr -d ' ')" != "$(wc -c <$log | tr -d ' ')" ]; then
		fail "8 custody log: it holds zero bytes, which neither shell nor awk can read"
		return
	fi
	if said=$(chain_quickly $log) && [ "$said" = "$(wc -l <$log | tr -d ' ') $(info Evidence-Ledger-Head)" ]; then
		n=${said%% *} prev=${said#* }
	else
		chain_slowly $log || return
	fi
	if [ $n -gt 0 ] && [ "$(info Evidence-Ledger-Head)" = "$prev" ]; then
		pass "8 custody log: $n lines, head $prev"
	else
		fail "8 custody log: it ends in another head than bag-info.txt names; lines are missing, added or changed"
	fi
}
custody

# 9. Every sealed original has a commitment and the reverse. Without the
# originals, there is no file but the commitments.
if [ "$profile" = platform ]; then
	if [ -d data/sealed ]; then
		fail "9 sealed originals: they are no part of a bundle for a platform"
	else
		skip "9 sealed originals" "no part of a bundle for a platform"
	fi
elif [ ! -f data/sealed/commitments.csv ]; then
	fail "9 sealed originals: data/sealed/commitments.csv is missing"
elif said=$(find data/sealed -type f | awk -F, -v csv=data/sealed/commitments.csv -v profile="$profile" '
	BEGIN {
		while ((getline line < csv) > 0) {
			n++
			if (n == 1) { if (line != "item_id,sha256,size,recipient_types,nonce_inside") { print csv " has another head"; bad = 1 }; continue }
			if (split(line, c, ",") != 5 || length(c[2]) != 64 || c[2] ~ /[^0-9a-f]/ || c[1] !~ /^[A-Za-z0-9._-]+$/) { print csv " line " n; bad = 1; continue }
			path = "data/sealed/raw-" c[1] ".tar.age"
			if (path in want) { print c[1] " twice"; bad = 1 }
			want[path] = 1
		}
	}
	$0 == csv { next }
	!($0 in want) { print $0 " has no commitment"; bad = 1; next }
	profile != "court" { print $0 " is no part of a bundle for a " profile; bad = 1; next }
	{ delete want[$0]; items++ }
	END { if (profile == "regulator") { if (!bad) print n - 1 " commitments, no originals"; exit bad }; for (path in want) { print path " is missing"; bad = 1 }; if (!bad) print items + 0 ", each with a commitment"; exit bad }'); then
	pass "9 sealed originals: $said"
else
	fail "9 sealed originals: they and commitments.csv do not match"
	printf '%s\n' "$said" | plain
fi

# 10. What the note says of the time stamp.
if [ -f attest/NOTE.txt ] && awk 'tolower($0) ~ /demo tsa|self-operated/ { found = 1 } END { exit !found }' attest/NOTE.txt; then
	echo "NOTE  attest/NOTE.txt: the time stamp is by a demo TSA and proves nothing about time"
fi

finish
