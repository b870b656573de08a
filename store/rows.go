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
	left := r.values
	for _, n := range []int{rowsAtOnce, 1} {
		width := n * r.columns
		if len(left) < width {
			continue
		}
		text := r.before + places(n, r.columns) + r.behind
		for ; len(left) >= width; left = left[width:] {
			if _, err := r.tx.ExecContext(ctx, text, left[:width]...); err != nil {
				return err
			}
		}
	}
	return nil
}

// places are the placeholders of rows: ($1, $2), ($3, $4).
func places(rows, columns int) string {
	all := make([]string, rows)
	for i := range all {
		all[i] = "(" + placeholders(1+i*columns, columns) + ")"
	}
	return strings.Join(all, ", ")
}

// placeholders are n of them, the first of which is $first.
func placeholders(first, n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = "$" + strconv.Itoa(first+i)
	}
	return strings.Join(all, ", ")
}
