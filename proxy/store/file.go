package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/gemini-claude-adapter/gca/proxy/front"
	"github.com/gemini-claude-adapter/gca/proxy/keys"
)

const (
	maxReaders = 4
	maxLog     = 16 << 20 // bytes that the write-ahead log keeps on disk
)

// file is an open database: one connection that writes, a few that read. Methods that write are called by one goroutine at a
// time.
type file struct {
	info    os.FileInfo // as it was opened
	writers *sql.DB
	conn    *sql.Conn // the only one of writers
	version int64     // of the data, as far as the writer knows
	readers *sql.DB
	find    *sql.Stmt
}

// openFile opens or makes a database. It waits for another process that is just about to write, but not for long.
func openFile(path string) (*file, error) {
	made, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	f := &file{}
	if f.info, err = made.Stat(); err == nil && !f.info.Mode().IsRegular() {
		err = errForeign
	}
	if err = errors.Join(err, made.Close()); err != nil {
		return nil, err
	}
	if err := f.connect(path); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func (f *file) connect(path string) (err error) {
	ctx := context.Background()
	common := "_pragma=busy_timeout(2000)&_pragma=trusted_schema(0)&_pragma=cell_size_check(1)"
	if f.writers, err = sql.Open("sqlite", source(path, common+"&_txlock=immediate&_pragma=synchronous(FULL)")); err != nil {
		return err
	}
	if f.conn, err = f.writers.Conn(ctx); err != nil {
		return err
	}
	if _, err := ourVersion(ctx, f.conn); err != nil {
		return err // before anything is written to it
	}
	for _, pragma := range []string{"journal_mode = WAL", fmt.Sprintf("journal_size_limit = %d", maxLog)} {
		if _, err := f.conn.ExecContext(ctx, "PRAGMA "+pragma); err != nil {
			return err
		}
	}
	if err := migrate(ctx, f.conn); err != nil {
		return err
	}
	if _, err := f.changed(); err != nil {
		return err
	}
	if f.readers, err = sql.Open("sqlite", source(path, common+"&_pragma=query_only(1)")); err != nil {
		return err
	}
	f.readers.SetMaxOpenConns(maxReaders)
	f.readers.SetMaxIdleConns(maxReaders)
	f.find, err = f.readers.PrepareContext(ctx, "SELECT name, upstream, signature, model, before, after, put FROM signatures WHERE id = ?")
	return err
}

func source(path, query string) string {
	return (&url.URL{Scheme: "file", Path: path, RawQuery: query}).String()
}

func (f *file) close() error {
	var errs []error
	if f.find != nil {
		errs = append(errs, f.find.Close())
	}
	if f.readers != nil {
		errs = append(errs, f.readers.Close())
	}
	if f.conn != nil {
		errs = append(errs, f.conn.Close())
	}
	if f.writers != nil {
		errs = append(errs, f.writers.Close())
	}
	return errors.Join(errs...)
}

// current reports whether path still names this file.
func (f *file) current(path string) bool {
	info, err := os.Stat(path)
	return err == nil && os.SameFile(info, f.info)
}

// changed reports whether others wrote since the last call.
func (f *file) changed() (bool, error) {
	before := f.version
	err := f.conn.QueryRowContext(context.Background(), "PRAGMA data_version").Scan(&f.version)
	return f.version != before, err
}

func (f *file) signature(clientID string) (signature, bool, error) {
	var raw [6][]byte
	var put int64
	err := f.find.QueryRowContext(context.Background(), []byte(clientID)).Scan(&raw[0], &raw[1], &raw[2], &raw[3], &raw[4], &raw[5], &put)
	if errors.Is(err, sql.ErrNoRows) {
		return signature{}, false, nil
	}
	r := front.Record{ClientID: clientID, Name: string(raw[0]), UpstreamID: string(raw[1]), Signature: string(raw[2]),
		Model: string(raw[3]), Before: string(raw[4]), After: string(raw[5])}
	return signature{r, time.Unix(0, put)}, err == nil, err
}

// keysSince reads what others than writer wrote after seq; next is where to go on.
func (f *file) keysSince(seq int64, writer string) (records []keys.Record, next int64, err error) {
	ctx := context.Background()
	if err := f.readers.QueryRowContext(ctx, "SELECT MAX(?, IFNULL(MAX(seq), 0)) FROM keys", seq).Scan(&next); err != nil {
		return nil, seq, err
	}
	rows, err := f.readers.QueryContext(ctx, "SELECT owner, model, name, value FROM keys WHERE seq > ? AND seq <= ? AND writer <> ? ORDER BY seq", seq, next, writer)
	if err != nil {
		return nil, seq, err
	}
	for rows.Next() {
		var r keys.Record
		var value []byte
		if err := rows.Scan(&r.Owner, &r.Model, &r.Name, &value); err != nil {
			return nil, seq, errors.Join(err, rows.Close())
		}
		if json.Unmarshal(value, &r) != nil {
			continue // of another release, or odd: the others count all the same
		}
		records = append(records, r)
	}
	return records, next, errors.Join(rows.Err(), rows.Close())
}

func (f *file) usage(from, to string) (out []Usage, err error) {
	rows, err := f.readers.QueryContext(context.Background(), `SELECT day, token, key, model, requests, errors, unpriced, prompt, cached, output, thoughts, cost
		FROM usage WHERE day >= ? AND day <= ?`, from, to)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var u Usage
		if err := rows.Scan(&u.Day, &u.Token, &u.Key, &u.Model, &u.Requests, &u.Errors, &u.Unpriced, &u.Prompt, &u.Cached, &u.Output, &u.Thoughts, &u.CostMicro); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		out = append(out, u)
	}
	return out, errors.Join(rows.Err(), rows.Close())
}

// rescue reads what it can of a file that is no good any more.
func (f *file) rescue() *batch {
	b := newBatch()
	if f.readers == nil {
		return b
	}
	if records, _, err := f.keysSince(0, ""); err == nil {
		b.addKeys(records)
	}
	if rows, err := f.usage("", "~"); err == nil {
		b.usage.add(rows)
	}
	return b
}
