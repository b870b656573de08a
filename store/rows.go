package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
)

// rowsFor gathers rows of one table and inserts many with a statement: of a short
// row's time, most is a statement's own.
type rowsFor struct {
	tx             *sql.Tx
	columns        int
	before, behind string // the statement around its rows
	values         []any
}

// rowsAtOnce is how many rows a statement takes; fewer go one by one, so that
// there are two statements to prepare.
const rowsAtOnce = 16

func (r *rowsFor) add(values ...any) { r.values = append(r.values, values...) }

func (r *rowsFor) insert(ctx context.Context) error {
	for left := r.values; len(left) > 0; {
		n := rowsAtOnce
		if len(left) < n*r.columns {
			n = 1
		}
		if _, err := r.tx.ExecContext(ctx, r.before+places(n, r.columns)+r.behind, left[:n*r.columns]...); err != nil {
			return err
		}
		left = left[n*r.columns:]
	}
	return nil
}

// places are the placeholders of rows: ($1, $2), ($3, $4).
func places(rows, columns int) string {
	var s strings.Builder
	for i := range rows * columns {
		switch {
		case i == 0:
			s.WriteString("($")
		case i%columns == 0:
			s.WriteString("), ($")
		default:
			s.WriteString(", $")
		}
		s.WriteString(strconv.Itoa(i + 1))
	}
	return s.String() + ")"
}
