package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// application marks our files among all SQLite files: "gcas".
const application = 0x67636173

// migrations bring a file from the version that is their place in the list to the next. They only ever add, to the list and
// to the file: during a handover, and after a way back, an older program works with the file of a newer one.
func migrations() []string {
	return []string{`
CREATE TABLE keys (
	owner TEXT NOT NULL, model TEXT NOT NULL, name TEXT NOT NULL,
	value BLOB NOT NULL, gone INTEGER NOT NULL,
	seq INTEGER NOT NULL, writer TEXT NOT NULL, written INTEGER NOT NULL, -- unix seconds
	PRIMARY KEY (owner, model, name)
) WITHOUT ROWID;
CREATE INDEX keys_seq ON keys (seq);
CREATE TABLE signatures (
	id BLOB NOT NULL PRIMARY KEY,
	name BLOB NOT NULL, upstream BLOB NOT NULL, signature BLOB NOT NULL, model BLOB NOT NULL, before BLOB NOT NULL, after BLOB NOT NULL,
	put INTEGER NOT NULL, -- unix nanoseconds
	size INTEGER NOT NULL
);
CREATE INDEX signatures_put ON signatures (put, size);
CREATE TABLE usage (
	day TEXT NOT NULL, token TEXT NOT NULL, key TEXT NOT NULL, model TEXT NOT NULL,
	requests INTEGER NOT NULL, errors INTEGER NOT NULL, unpriced INTEGER NOT NULL,
	prompt INTEGER NOT NULL, cached INTEGER NOT NULL, output INTEGER NOT NULL, thoughts INTEGER NOT NULL,
	cost INTEGER NOT NULL, -- millionths of a US dollar
	PRIMARY KEY (day, token, key, model)
) WITHOUT ROWID;`}
}

// errForeign is a database that is not ours to write to.
var errForeign = errors.New("it is the database of another program")

// damaged reports whether an error means that the file is no sound database.
func damaged(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	code := e.Code() & 0xff
	return code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_NOTADB
}

// migrate makes a new file ours, or brings an older one up to date.
func migrate(ctx context.Context, conn *sql.Conn) error {
	version, err := ourVersion(ctx, conn)
	if err != nil || version >= len(migrations()) {
		return err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := upgrade(ctx, tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// upgrade looks again, now that nobody else can write.
func upgrade(ctx context.Context, tx *sql.Tx) error {
	version, err := ourVersion(ctx, tx)
	if err != nil {
		return err
	}
	for ; version < len(migrations()); version++ {
		if _, err := tx.ExecContext(ctx, migrations()[version]+fmt.Sprintf("PRAGMA user_version = %d; PRAGMA application_id = %d", version+1, application)); err != nil {
			return fmt.Errorf("cannot bring it to version %d: %w", version+1, err)
		}
	}
	return nil
}

type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// ourVersion returns the version of our schema that the file has, 0 if it is empty.
func ourVersion(ctx context.Context, db queryer) (int, error) {
	var version, id, tables int
	for query, into := range map[string]*int{"PRAGMA user_version": &version, "PRAGMA application_id": &id, "SELECT COUNT(*) FROM sqlite_schema": &tables} {
		if err := db.QueryRowContext(ctx, query).Scan(into); err != nil {
			return 0, err
		}
	}
	if id != application && (id != 0 || tables != 0) {
		return 0, errForeign
	}
	return version, nil
}
