package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/internal/plain"
)

const commandColumns = `number, name, args, by, sent, done, answer, refused`

// Send implements [checkpoint.ParkingStore].
func (s *Store) Send(ctx context.Context, projection string, c checkpoint.Command) (number int64, err error) {
	err = s.writer.tx(ctx, func() error {
		if _, err := s.writer.exec(forgetCommandsSQL, millis(checkpoint.CommandRetention)); err != nil {
			return err
		}
		sent, err := s.writer.exec(sendSQL, projection, plain.Text(c.Name), c.Args, plain.Text(c.By))
		if err == nil && sent == 0 {
			return s.whyNotSent(ctx, projection)
		}
		if err != nil {
			return err
		}
		return s.writer.conn.QueryRowContext(ctx, `SELECT last_insert_rowid()`).Scan(&number)
	})
	if err != nil {
		return 0, fmt.Errorf("command to %q: %w", projection, explain(err))
	}
	return number, nil
}

// Command implements [checkpoint.ParkingStore].
func (s *Store) Command(ctx context.Context, number int64) (checkpoint.Command, error) {
	c, err := scanCommand(s.reader.QueryRowContext(ctx, commandSQL, number))
	if errors.Is(err, sql.ErrNoRows) {
		err = checkpoint.ErrUnknownCommand
	}
	if err != nil {
		return c, fmt.Errorf("command %d: %w", number, explain(err))
	}
	return c, nil
}

// Commands implements [checkpoint.ParkingLease].
func (l *lease) Commands(ctx context.Context) ([]checkpoint.Command, error) {
	rows, err := l.store.reader.QueryContext(ctx, commandsSQL, l.name)
	if err != nil {
		return nil, fmt.Errorf("commands to %q: %w", l.name, explain(err))
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	var list []checkpoint.Command
	for rows.Next() {
		c, err := scanCommand(rows)
		if err != nil {
			return nil, fmt.Errorf("commands to %q: %w", l.name, classed(err))
		}
		list = append(list, c)
	}
	return list, classed(rows.Err())
}

func scanCommand(row interface{ Scan(...any) error }) (c checkpoint.Command, err error) {
	var sent int64
	var done *int64
	err = row.Scan(&c.Number, &c.Name, &c.Args, &c.By, &sent, &done, &c.Answer, &c.Refused)
	c.Sent = time.UnixMilli(sent).UTC()
	if done != nil {
		c.Done = time.UnixMilli(*done).UTC()
	}
	return c, err
}
