package postgres

import (
	"context"
	"fmt"

	"github.com/photonpump/projector/checkpoint"
	"github.com/photonpump/projector/checkpoint/internal/plain"
)

const commandColumns = `number, name, args, by, sent, done, answer, refused`

// Send implements [checkpoint.ParkingStore].
func (s *Store) Send(ctx context.Context, projection string, c checkpoint.Command) (int64, error) {
	rows, err := s.exec(ctx, s.sql.send, projection, plain.Text(c.Name), c.Args, plain.Text(c.By), micros(checkpoint.CommandRetention))
	if err == nil && len(rows) == 0 {
		err = s.whyNotSent(ctx, projection)
	}
	if err != nil {
		return 0, fmt.Errorf("command to %q: %w", projection, s.explain(err))
	}
	return decodeInt(rows[0][0]), nil
}

// Command implements [checkpoint.ParkingStore].
func (s *Store) Command(ctx context.Context, number int64) (checkpoint.Command, error) {
	rows, err := s.exec(ctx, s.sql.command, number)
	if err == nil && len(rows) == 0 {
		err = checkpoint.ErrUnknownCommand
	}
	if err != nil {
		return checkpoint.Command{}, fmt.Errorf("command %d: %w", number, s.explain(err))
	}
	return decodeCommand(rows[0]), nil
}

// Commands implements [checkpoint.ParkingLease].
func (l *lease) Commands(ctx context.Context) ([]checkpoint.Command, error) {
	rows, err := l.store.exec(ctx, l.store.sql.commands, l.name)
	if err != nil {
		return nil, fmt.Errorf("commands to %q: %w", l.name, err)
	}
	list := make([]checkpoint.Command, len(rows))
	for i, row := range rows {
		list[i] = decodeCommand(row)
	}
	return list, nil
}

func decodeCommand(row [][]byte) checkpoint.Command {
	return checkpoint.Command{
		Number: decodeInt(row[0]), Name: string(row[1]), Args: row[2], By: string(row[3]), Sent: decodeTime(row[4]),
		Done: decodeNullTime(row[5]), Answer: string(row[6]), Refused: decodeBool(row[7]),
	}
}
