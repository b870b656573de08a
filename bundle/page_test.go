package bundle_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"prahari/bundle"
)

// Every text of the page is there in both languages, and none is left over.
func TestPageSpeaksTwoLanguages(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile(filepath.Join("template", "index.html"))
	must(t, err)
	data, err := os.ReadFile(filepath.Join("template", "index.hi.json"))
	must(t, err)
	source, err := os.ReadFile("page.go")
	must(t, err)
	var hindi map[string]string
	must(t, json.Unmarshal(data, &hindi))
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`\{\{t "([^"]+)"\}\}`).FindAllStringSubmatch(string(body), -1) {
		used[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`add\([^\n]*?, "([A-Z][^"]+)"`).FindAllStringSubmatch(string(source), -1) {
		used[m[1]] = true
	}
	if len(used) < 40 {
		t.Fatalf("only %d texts were found", len(used))
	}
	for english := range used {
		if strings.IndexFunc(hindi[english], func(r rune) bool { return r >= 0x900 && r <= 0x97f }) < 0 {
			t.Errorf("%q has no Hindi", english)
		}
	}
	for english := range hindi {
		if !used[english] {
			t.Errorf("%q is used nowhere", english)
		}
	}
}

// browser starts a headless Chromium without a network, once for all that is
// asked of one bundle.
func browser(t *testing.T) context.Context {
	t.Helper()
	chromium := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			chromium = path
			break
		}
	}
	if chromium == "" {
		t.Skip("SKIPPED: there is no Chromium on this machine, so index.html was not opened in a browser: run 'make consumers'")
	}
	o := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND"), chromedp.WSURLReadTimeout(2*time.Minute))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), o...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// The page in a real browser: nothing is asked of a network, the policy holds,
// nothing is cut off on a telephone, in the dark and on paper, in both languages.
func TestPageInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short leaves the browser out")
	}
	ctx := browser(t)
	r := newRig(t)
	const hostile = `<script>document.title="pwned"</script><img src=x onerror="document.title='pwned'"><a href="https://evil.example">x</a>`
	r.items[1].Masked += "\n" + hostile
	r.in.Case.Title = "टीकाकरण अभिलेखों का रिसाव " + hostile
	dir := r.build(t)
	url := "file://" + filepath.Join(dir, "index.html")

	var mu sync.Mutex
	var asked, complaints []string
	chromedp.ListenTarget(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			asked = append(asked, e.Request.URL)
		case *runtime.EventExceptionThrown:
			complaints = append(complaints, e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			complaints = append(complaints, fmt.Sprint(e.Type))
		}
	})
	var title, english, hindi, scripts string
	var narrow, wide, dark []byte
	var overflow [2]bool
	var pdf []byte
	width := func(w int64) chromedp.Action { return chromedp.EmulateViewport(w, 900) }
	tooWide := func(to *bool) chromedp.Action {
		return chromedp.Evaluate(`document.documentElement.scrollWidth > document.documentElement.clientWidth`, to)
	}
	must(t, chromedp.Run(ctx,
		network.Enable(), runtime.Enable(), width(1280), chromedp.Navigate(url), chromedp.WaitVisible("#verify"), chromedp.Title(&title),
		chromedp.Text("main", &english), tooWide(&overflow[0]), chromedp.FullScreenshot(&wide, 100),
		chromedp.Evaluate(`document.querySelectorAll("script, img, iframe, object, embed, a[href^='http'], [onerror], [style]").length.toString()`, &scripts),
		width(390), tooWide(&overflow[1]), chromedp.FullScreenshot(&narrow, 100),
		width(1280), emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}), chromedp.FullScreenshot(&dark, 100),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "light"}}),
		chromedp.Click(`label[for="hi"]`), chromedp.WaitVisible("#summary .hi"), chromedp.Text("main", &hindi),
		chromedp.ActionFunc(func(ctx context.Context) (err error) {
			pdf, _, err = cdppage.PrintToPDF().WithPaperWidth(8.27).WithPaperHeight(11.69).Do(ctx)
			return err
		}),
	))
	keep(t, map[string][]byte{"wide.png": wide, "narrow.png": narrow, "dark.png": dark, "print.pdf": pdf})

	mu.Lock()
	defer mu.Unlock()
	for _, u := range asked {
		if u != url {
			t.Errorf("the page asked for %s", u)
		}
	}
	if len(complaints) > 0 || !strings.HasPrefix(title, "EB-") || scripts != "0" {
		t.Errorf("title %q, %s active elements, complaints %q", title, scripts, complaints)
	}
	if overflow[0] || overflow[1] {
		t.Errorf("the page is wider than its window: at 1280 %v, at 390 %v", overflow[0], overflow[1])
	}
	for _, want := range []string{"Case summary", "Timeline", "Identifiers by kind", "Custody trail", "How to verify", "XXXX XXXX 5678", "<script>document.title="} {
		if !strings.Contains(english, want) {
			t.Errorf("the English page does not show %q", want)
		}
	}
	if strings.Contains(english, "प्रकरण का सार") || strings.Contains(hindi, "Case summary") || !strings.Contains(hindi, "प्रकरण का सार") || !strings.Contains(hindi, "XXXX XXXX 5678") {
		t.Error("the languages do not change over")
	}
	if brightness(t, wide) < 200 || brightness(t, dark) > 80 {
		t.Errorf("brightness by day %d, in the dark %d", brightness(t, wide), brightness(t, dark))
	}
	if a, b := size(t, wide), size(t, narrow); a.X != 1280 || b.X != 390 || b.Y <= a.Y {
		t.Errorf("screenshots of %v and %v", a, b)
	}
	onPaper(t, pdf)
}

// onPaper looks at the printed page: all sections, in the language chosen, and no
// switch.
func onPaper(t *testing.T, pdf []byte) {
	t.Helper()
	if _, err := exec.LookPath("pdftotext"); err != nil {
		t.Log("SKIPPED: there is no pdftotext on this machine, so the printed page was not read: run 'make consumers'")
		return
	}
	cmd := exec.CommandContext(t.Context(), "pdftotext", "-", "-")
	cmd.Stdin = bytes.NewReader(pdf)
	out, err := cmd.Output()
	must(t, err)
	for _, want := range []string{"TLP:AMBER+STRICT", "EB-CASE", "XXXX XXXX 5678", "sha256sum -c --strict tagmanifest-sha256.txt"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the printed page does not show %q", want)
		}
	}
	if strings.Contains(string(out), "Case summary") || strings.Contains(string(out), "English") {
		t.Error("the printed page shows the other language, or the switch")
	}
}

// keep leaves screenshots in the folder that $SCREENSHOTS names, to be looked at.
func keep(t *testing.T, pictures map[string][]byte) {
	t.Helper()
	if dir := os.Getenv("SCREENSHOTS"); dir != "" {
		for name, data := range pictures {
			must(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
		}
	}
}

func picture(t *testing.T, data []byte) image.Image {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(data))
	must(t, err)
	return img
}

func size(t *testing.T, data []byte) image.Point { return picture(t, data).Bounds().Size() }

func brightness(t *testing.T, data []byte) int {
	t.Helper()
	img, sum, n := picture(t, data), 0, 0
	for x := 0; x < img.Bounds().Dx(); x += 7 {
		for y := 0; y < img.Bounds().Dy(); y += 7 {
			sum, n = sum+int(color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y), n+1
		}
	}
	return sum / max(1, n)
}

// The page shows to each reader no more than the other files of the profile do,
// and stays small however large the case.
func TestPageShowsWhatTheProfileHolds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	many := r.items[0]
	r.items = nil
	for i := range 700 {
		e := many
		e.ID, e.MessageID, e.PostedAt = fmt.Sprintf("ev-many%04d", i), int64(i+1), posted.Add(time.Duration(i)*time.Hour)
		e.Masked = fmt.Sprintf("masked sample %d: XXXXXX%04d", i, 1000+i)
		r.items = append(r.items, e)
	}
	r.in.Items = bundle.Each(r.items)
	r.relog()
	r.in.Profile = "platform"
	page := read(t, r.build(t), "index.html")
	if n := strings.Count(page, "masked sample"); n != 5 {
		t.Errorf("a platform sees %d samples", n)
	}
	for _, hidden := range []string{"Custody trail", "Identifiers by kind", "analyst:a1"} {
		if strings.Contains(page, hidden) {
			t.Errorf("a platform sees %q", hidden)
		}
	}
	r.in.Profile = "court"
	page = read(t, r.build(t), "index.html")
	if n := strings.Count(page, "masked sample"); n != 500 || !strings.Contains(page, "</span> 200</p>") {
		t.Errorf("a court sees %d items, and how many more is not said", n)
	}
}

// Each draft that is signed or filed on paper is a PDF too, with the same words.
func TestDraftsOnPaper(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("pdftotext"); err != nil {
		t.Skip("SKIPPED: there is no pdftotext on this machine, so the PDFs were not read: run 'make consumers'")
	}
	r := newRig(t)
	r.in.Notices[0].Markdown += "\n\nआधार संख्या का प्रकाशन वर्जित है\n"
	dir := r.build(t)
	words := func(s string) map[string]bool {
		all := map[string]bool{}
		for l := range strings.Lines(s) {
			if strings.HasPrefix(l, "=== ") { // the page breaks of the text
				continue
			}
			for w := range strings.FieldsSeq(l) {
				all[w] = true
			}
		}
		return all
	}
	for _, name := range []string{
		"data/certificate/s63-part-A.DRAFT", "data/certificate/s63-part-B.BLANK", "data/certificate/annex-II-verification", "data/notices/N-0001-telegram-abuse-mail",
	} {
		plain := name + ".txt"
		if strings.Contains(name, "notices") {
			plain = name + ".md"
		}
		out, err := exec.CommandContext(t.Context(), "pdftotext", "-layout", filepath.Join(dir, filepath.FromSlash(name+".pdf")), "-").Output()
		must(t, err)
		if pages := strings.Count(string(out), "\f"); strings.HasPrefix(name, "data/certificate/") && (pages == 0 || strings.Count(string(out), "DRAFT — not a certificate until affirmed and signed") != pages) {
			t.Errorf("%s.pdf has not the mark on each of its %d pages", name, pages)
		}
		printed := words(string(out))
		missing := 0
		for w := range words(read(t, dir, plain)) {
			if !printed[w] && !strings.ContainsAny(w, "#_*`-\\") {
				missing++
				if missing < 5 {
					t.Errorf("%s.pdf does not show %q", name, w)
				}
			}
		}
	}
}
