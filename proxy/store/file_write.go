package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"
)

// keepGone is how long others are told that a record holds no more.
const keepGone = 7 * 24 * time.Hour

// transact does all of do or nothing, durably.
func (f *file) transact(do func(ctx context.Context, tx *sql.Tx) error) error {
	ctx := context.Background()
	tx, err := f.conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(ctx, tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// write writes a batch.
func (f *file) write(b *batch, writer string) error {
	if b.empty() {
		return nil
	}
	return f.transact(func(ctx context.Context, tx *sql.Tx) error {
		return errors.Join(b.writeKeys(ctx, tx, writer), b.writeSignatures(ctx, tx), b.writeUsage(ctx, tx))
	})
}

// prepared calls do with a statement.
func prepared(ctx context.Context, tx *sql.Tx, query string, do func(*sql.Stmt) error) error {
	statement, err := tx.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	return errors.Join(do(statement), statement.Close())
}

func (b *batch) writeKeys(ctx context.Context, tx *sql.Tx, writer string) error {
	if len(b.keys) == 0 {
		return nil
	}
	var seq int64
	if err := tx.QueryRowContext(ctx, "SELECT IFNULL(MAX(seq), 0) + 1 FROM keys").Scan(&seq); err != nil {
		return err
	}
	now := time.Now().Unix()
	return prepared(ctx, tx, "INSERT OR REPLACE INTO keys (owner, model, name, value, gone, seq, writer, written) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", func(put *sql.Stmt) error {
		for id, r := range b.keys {
			value, err := json.Marshal(r)
			if err != nil {
				return err
			}
			if _, err := put.ExecContext(ctx, id.owner, id.model, id.name, value, r.Gone, seq, writer, now); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *batch) writeSignatures(ctx context.Context, tx *sql.Tx) error {
	if len(b.signatures) == 0 {
		return nil
	}
	return prepared(ctx, tx, "INSERT OR REPLACE INTO signatures (id, name, upstream, signature, model, before, after, put, size) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", func(put *sql.Stmt) error {
		for id, g := range b.signatures {
			r := &g.record
			if _, err := put.ExecContext(ctx, []byte(id), []byte(r.Name), []byte(r.UpstreamID), []byte(r.Signature), []byte(r.Model),
				[]byte(r.Before), []byte(r.After), g.put.UnixNano(), sizeOf(r)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *batch) writeUsage(ctx context.Context, tx *sql.Tx) error {
	if len(b.usage) == 0 {
		return nil
	}
	return prepared(ctx, tx, `INSERT INTO usage (day, token, key, model, requests, errors, unpriced, prompt, cached, output, thoughts, cost)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, errors = errors + excluded.errors, unpriced = unpriced + excluded.unpriced,
		prompt = prompt + excluded.prompt, cached = cached + excluded.cached, output = output + excluded.output,
		thoughts = thoughts + excluded.thoughts, cost = cost + excluded.cost`, func(add *sql.Stmt) error {
		for id, u := range b.usage {
			if _, err := add.ExecContext(ctx, id.Day, id.Token, id.Key, id.Model, u.Requests, u.Errors, u.Unpriced,
				u.Prompt, u.Cached, u.Output, u.Thoughts, u.CostMicro); err != nil {
				return err
			}
		}
		return nil
	})
}

// prune drops what limits do not let stay.
func (f *file) prune(limits Limits, now time.Time) error {
	return f.transact(func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM keys WHERE gone AND written < ? AND seq < (SELECT MAX(seq) FROM keys)", now.Add(-keepGone).Unix()); err != nil {
			return err
		}
		// Rests that ended long ago: names of models come from clients.
		if _, err := tx.ExecContext(ctx, `DELETE FROM keys WHERE seq < (SELECT MAX(seq) FROM keys)
			AND CASE WHEN json_valid(CAST(value AS TEXT)) THEN unixepoch(json_extract(CAST(value AS TEXT), '$.until')) < ? END`, now.Add(-keepGone).Unix()); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM usage WHERE day < ?", oldestDay(limits, now)); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM usage WHERE (day, token, key, model) IN (SELECT day, token, key, model FROM usage
			ORDER BY day, token, key, model LIMIT MAX(0, (SELECT COUNT(*) FROM usage) - ?))`, limits.Rows); err != nil {
			return err
		}
		last, err := lastToGo(ctx, tx, limits)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM signatures WHERE put <= ?", max(last, now.Add(-limits.Age).UnixNano()))
		return err
	})
}

// lastToGo returns when the newest signature was put for which there is no room, 0 if all have room.
func lastToGo(ctx context.Context, tx *sql.Tx, limits Limits) (put int64, err error) {
	var entries, bytes int
	if err := tx.QueryRowContext(ctx, "SELECT COUNT(*), IFNULL(SUM(size), 0) FROM signatures").Scan(&entries, &bytes); err != nil {
		return 0, err
	}
	if entries <= limits.Entries && bytes <= limits.Bytes {
		return 0, nil
	}
	rows, err := tx.QueryContext(ctx, "SELECT put, size FROM signatures ORDER BY put")
	if err != nil {
		return 0, err
	}
	for (entries > limits.Entries || bytes > limits.Bytes) && rows.Next() {
		var size int
		if err := rows.Scan(&put, &size); err != nil {
			return 0, errors.Join(err, rows.Close())
		}
		entries, bytes = entries-1, bytes-size
	}
	return put, errors.Join(rows.Err(), rows.Close())
}
