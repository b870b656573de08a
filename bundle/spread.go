package bundle

import (
	"context"
	"iter"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// workers is how many goroutines share work that is CPU's and the disk's.
func workers() int { return max(2, runtime.GOMAXPROCS(0)) }

// spread calls do with every number below n, by several workers, and stops at
// the first error or when ctx ends.
func spread(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range min(n, workers()) {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := do(ctx, i); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// ahead calls do with what all yields, which is asked for more in a goroutine of
// its own meanwhile.
func ahead[T any](ctx context.Context, all iter.Seq2[T, error], do func(T, error) error) error {
	type one struct {
		v   T
		err error
	}
	const many = 256
	g, ctx := errgroup.WithContext(ctx)
	batches := make(chan []one, 2)
	g.Go(func() error {
		defer close(batches)
		var batch []one
		for v, err := range all {
			if batch = append(batch, one{v, err}); len(batch) < many {
				continue
			}
			if err := send(ctx, batches, batch); err != nil {
				return err
			}
			batch = make([]one, 0, many)
		}
		return send(ctx, batches, batch)
	})
	g.Go(func() error {
		for batch := range batches {
			for _, o := range batch {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := do(o.v, o.err); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return g.Wait()
}
