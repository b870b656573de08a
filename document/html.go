package document

import (
	"bytes"
	"fmt"
	"html/template"

	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/util"
)

const frame = `<!DOCTYPE html>
<html lang="{{if .Hindi}}hi{{else}}en{{end}}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<style>
body { max-width: 46em; margin: 2em auto; padding: 0 1em; font: 16px/1.5 "Noto Sans", "Noto Sans Devanagari", "Nirmala UI", sans-serif; color: #111; background: #fff; overflow-wrap: anywhere }
header, footer { font-size: .8em; color: #444; border-bottom: 1px solid #bbb; padding: .3em 0 }
footer { border: 0; border-top: 1px solid #bbb; margin-top: 2em }
h1 { font-size: 1.4em } h2 { font-size: 1.15em } h3 { font-size: 1em }
table { border-collapse: collapse; width: 100% } td, th { border: 1px solid #bbb; padding: .3em .5em; text-align: left; vertical-align: top }
th:empty { display: none }
blockquote { margin: 1em 0; padding: .5em 1em; border-left: 4px solid #a00; background: #fdf1f1 }
pre { white-space: pre-wrap; background: #f4f4f4; padding: .5em }
.watermark { border: 2px solid #a00; color: #a00; text-align: center; font-weight: bold; padding: .3em }
@media print { body { margin: 0; max-width: none } }
</style>
</head>
<body>
<header>{{.Header}}</header>
{{with .Watermark}}<p class="watermark">{{.}}</p>
{{end -}}
<main>
{{.Body}}</main>
<footer>{{.Footer}}</footer>
</body>
</html>
`

// HTML renders a document as one page without scripts, links or anything to
// load.
func (d Document) HTML() ([]byte, error) {
	root, source := d.parse()
	var body, out bytes.Buffer
	r := renderer.NewRenderer(renderer.WithNodeRenderers(
		util.Prioritized(html.NewRenderer(html.WithHardWraps()), 1000), util.Prioritized(extension.NewTableHTMLRenderer(), 500)))
	if err := r.Render(&body, source, root); err != nil {
		return nil, fmt.Errorf("rendering HTML: %w", err)
	}
	page, err := template.New("page").Parse(frame)
	if err != nil {
		return nil, fmt.Errorf("rendering HTML: %w", err)
	}
	err = page.Execute(&out, struct {
		Hindi                            bool
		Title, Header, Footer, Watermark string
		Body                             template.HTML
	}{d.Hindi, Inert(d.Title), Inert(d.Header), Inert(d.Footer), Inert(d.Watermark), template.HTML(body.String())}) //nolint:gosec // goldmark's, which escapes all text
	if err != nil {
		return nil, fmt.Errorf("rendering HTML: %w", err)
	}
	return out.Bytes(), nil
}
