#!/bin/sh
# Measure the matcher against yardstick engines on a labelled corpus, in one run:
#   BENCH=folder sh matcher/bench.sh [MiB] [seed]
# BENCH holds corpus/ (the generator), peer/ (go-re2), patterns.tsv and score.py.
set -eu
mb=${1:-64} seed=${2:-1}
bench=${BENCH:-../shared/bench}
if [ ! -d "$bench/corpus" ]; then
	echo "SKIPPED: no benchmark suite in '$bench': name its folder in BENCH" >&2
	exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$bench/corpus" "$bench/peer" "$work/" && chmod -R u+w "$work"
mkdir "$work/out"
(cd "$work/corpus" && go run . -mb "$mb" -seed "$seed" -out "$work/out")
tags=re2_cgo
if ! pkg-config --exists re2 2>/dev/null; then
	echo "libre2-dev is missing: go-re2 runs in its slower form, without cgo" >&2
	tags=none
fi
(cd "$work/peer" && go mod tidy >/dev/null 2>&1 && go build -tags "$tags" -o "$work/re2" .)
re2=$("$work/re2" -corpus "$work/out/corpus.txt" -patterns "$bench/patterns.tsv" -mb "$mb" | tee /dev/stderr | sed 's/.*median=\([0-9.]*\).*/\1/')
bitmap=
if cc -O2 -mavx2 matcher/testdata/yardstick/bitmap.c -o "$work/bitmap" 2>"$work/cc" && bitmap=$("$work/bitmap" "$work/out/corpus.txt" | tee /dev/stderr | sed 's/.*median=//'); then :; else
	echo "SKIPPED: the ratio to a bitmap of digits: needs a C compiler and a processor with AVX2" >&2
	cat "$work/cc" >&2
	bitmap=
fi
CORPUS=$work/out go test ./matcher -count=1 -run 'TestHitsOfACorpus|TestSpeedOnACorpus|TestGateOnACorpus|TestConfidenceOnACorpus' -v > "$work/log" || { cat "$work/log" >&2; exit 1; }
own=$(sed -n 's/.*: matcher \([0-9.]*\)$/\1/p' "$work/log")
sed -n 's/.*: worst-case \(.* [0-9.]*\)$/worst-case \1/p' "$work/log"
awk -v own="$own" -v re2="$re2" 'BEGIN { printf "matcher %.1f MB/s\nratio matcher/re2 %.2f\n", own, own / re2 }'
[ -z "$bitmap" ] || awk -v own="$own" -v bitmap="$bitmap" 'BEGIN { printf "ratio matcher/bitmap %.3f\n", own / bitmap }'
sed -n 's/.*: worst-case \([0-9.]*\)$/ratio matcher\/worst-case \1/p' "$work/log"
python3 "$bench/score.py" "$work/out" "$work/out/hits.tsv" $((mb << 20)) > "$work/score"
cat "$work/score"
sed -n 's/.*: \(confidence .*\)$/\1/p' "$work/log"
sed -n 's/^micro /score fields /p; s/^record \(P=[0-9.]* R=[0-9.]*\).*/score records \1/p' "$work/score"
