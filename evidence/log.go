package evidence

import (
	"context"
	"log/slog"
)

// redacted lets through only what cannot hold an identifier.
type redacted struct{ slog.Handler }

// Redacted passes records on to h without what could hold somebody's identifiers:
// numbers, times and truth values go through, short strings and errors swept, all
// else is left out.
func Redacted(h slog.Handler) slog.Handler { return redacted{h} }

func (r redacted) Handle(ctx context.Context, record slog.Record) error {
	clean := slog.NewRecord(record.Time, record.Level, Caption(record.Message, 400), record.PC)
	record.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(harmless(a))
		return true
	})
	return r.Handler.Handle(ctx, clean)
}

func (r redacted) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = harmless(a)
	}
	return redacted{r.Handler.WithAttrs(clean)}
}

func (r redacted) WithGroup(name string) slog.Handler { return redacted{r.Handler.WithGroup(name)} }

func harmless(a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindBool, slog.KindInt64, slog.KindUint64, slog.KindDuration, slog.KindTime, slog.KindFloat64:
		return a
	case slog.KindString:
		if len(a.Value.String()) <= 80 {
			return slog.String(a.Key, Caption(a.Value.String(), 80))
		}
	case slog.KindAny:
		if err, ok := a.Value.Any().(error); ok {
			return slog.String(a.Key, Caption(err.Error(), 400))
		}
	case slog.KindGroup, slog.KindLogValuer:
	}
	return slog.String(a.Key, "[left out]")
}
