package document_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"prahari/document"
	"prahari/fixtures"
)

// The HTML in a real browser, every attack in it: it shows the text, runs
// nothing, asks for nothing, and no word is cut off on a telephone.
func TestHTMLInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short leaves the browser out")
	}
	at := slices.IndexFunc([]string{"chromium", "chromium-browser", "google-chrome"}, func(name string) bool { _, err := exec.LookPath(name); return err == nil })
	if at < 0 {
		t.Skip("SKIPPED: there is no Chromium on this machine, so the HTML of a notice was not opened in a browser: run 'make consumers'")
	}
	d := whole()
	for _, a := range fixtures.Attacks() {
		d.Markdown += "\n\n" + document.Escape(a.Text)
		d.Title += " " + a.Text
		d.Header += " " + a.Text
	}
	path := filepath.Join(t.TempDir(), "notice.html")
	if err := os.WriteFile(path, must[[]byte](t)(d.HTML()), 0o600); err != nil {
		t.Fatal(err)
	}
	o := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath([]string{"chromium", "chromium-browser", "google-chrome"}[at]), chromedp.NoSandbox,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND"), chromedp.WSURLReadTimeout(2*time.Minute))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), o...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	var mu sync.Mutex
	var asked []string
	chromedp.ListenTarget(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			asked = append(asked, e.Request.URL)
		case *page.EventJavascriptDialogOpening:
			asked = append(asked, "dialog "+e.Message)
		}
	})
	var text, title string
	var active int
	var wide bool
	if err := chromedp.Run(ctx,
		network.Enable(), page.Enable(), chromedp.EmulateViewport(390, 900), chromedp.Navigate("file://"+path), chromedp.WaitVisible("main"),
		chromedp.Text("main", &text), chromedp.Title(&title),
		chromedp.Evaluate(`document.querySelectorAll("script, img, svg, iframe, object, embed, a, form, [onerror], [onload]").length`, &active),
		chromedp.Evaluate(`document.documentElement.scrollWidth > document.documentElement.clientWidth`, &wide),
	); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(asked) != 1 || !strings.HasSuffix(asked[0], "notice.html") {
		t.Errorf("the page asked for %v", asked)
	}
	if active != 0 || wide {
		t.Errorf("%d elements could act; wider than a telephone: %t", active, wide)
	}
	wants(t, "Chromium", text)
	for _, a := range fixtures.Attacks() {
		if !strings.Contains(squeeze(text), shown(a)) {
			t.Errorf("the page does not show %q", a.Name)
		}
	}
}
