package sqlite

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/photonpump/projector/checkpoint"
)

// now is the clock of the store, in milliseconds. It is evaluated when its statement is executed, that is with the
// write lock held.
const now = `CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)`

// The statements about the framework's own tables.
const (
	// The state of a projection for somebody who wants it. Milliseconds left of the lease, null if it is free.
	inspectSQL = `SELECT epoch, owner, CASE WHEN expires > ` + now + ` THEN expires - ` + now + ` END, position, fingerprint,
		last_id, last_position, expires IS NOT NULL, instance, deaths, marker_id, marker_deaths, shards
		FROM projector_projections WHERE name = ?`

	// ?1 name, ?2 owner, ?3 ttl in milliseconds, ?4 fingerprint, ?5 start, ?6 epoch, ?7 instance, ?8 deaths. The write lock is held since the
	// projection was inspected.
	claimSQL = `INSERT INTO projector_projections (name, epoch, owner, expires, position, fingerprint, updated, instance, deaths)
		VALUES (?1, ?6, ?2, ` + now + ` + ?3, ?5, ?4, ` + now + `, ?7, ?8)
		ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, owner = excluded.owner, expires = excluded.expires,
			position = coalesce(position, excluded.position),
			fingerprint = coalesce(nullif(excluded.fingerprint, ''), fingerprint), updated = excluded.updated,
			instance = excluded.instance, deaths = excluded.deaths, marker_id = NULL`

	rowsSQL = `SELECT name, epoch, owner, expires, coalesce(expires > ` + now + `, 0), coalesce(position, 'start'), last_id,
		last_position, fingerprint, handled, ignored, state, reason, updated, skipped,
		(SELECT count(*) FROM projector_parked k WHERE k.projection = p.name), coalesce(base, ''), shards, position IS NULL
		FROM projector_projections p`
	listSQL = rowsSQL + ` ORDER BY name`
	// ?1 projection: itself and its shards
	divisionSQL = rowsSQL + ` WHERE name = ?1 OR base = ?1 ORDER BY name`

	// ?1 name, ?2 epoch, ?3 from, ?4 to, ?5 ttl, ?6 handled, ?7 ignored, ?8 last id or null, ?9 last position or
	// null, ?10 skipped
	commitSQL = `UPDATE projector_projections SET position = ?4, expires = ` + now + ` + ?5, handled = handled + ?6,
		ignored = ignored + ?7, last_id = coalesce(?8, last_id), last_position = coalesce(?9, last_position), updated = ` + now + `,
		skipped = skipped + ?10, marker_id = NULL, deaths = CASE WHEN position = ?4 THEN deaths ELSE 0 END
		WHERE name = ?1 AND epoch = ?2 AND position = ?3`

	renewSQL = `UPDATE projector_projections SET expires = ` + now + ` + ?3 WHERE name = ?1 AND epoch = ?2`

	reportSQL = `UPDATE projector_projections SET state = ?3, reason = ?4, updated = ` + now + ` WHERE name = ?1 AND epoch = ?2`

	releaseSQL = `UPDATE projector_projections SET owner = '', expires = NULL, deaths = 0, marker_id = NULL WHERE name = ?1 AND epoch = ?2`

	resetSQL = `UPDATE projector_projections SET epoch = (SELECT max(epoch) FROM projector_projections WHERE name = ?1 OR base = ?1) + 1, owner = '', expires = NULL, position = NULL, last_id = NULL,
		last_position = 'start', fingerprint = '', handled = 0, ignored = 0, state = '', reason = '', updated = ` + now + `,
		skipped = 0, instance = NULL, deaths = 0, marker_id = NULL, shards = 1 WHERE name = ?1`

	markSQL = `UPDATE projector_projections SET marker_id = ?3, marker_deaths = ?4 WHERE name = ?1 AND epoch = ?2`

	existsSQL = `SELECT count(*) FROM projector_projections WHERE name = ?`

	parkSQL = `INSERT INTO projector_parked (` + parkedColumns + `, projection, at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ` + now + `)`
	unparkSQL = `DELETE FROM projector_parked WHERE projection = ? AND number = ?`
	retrySQL  = `UPDATE projector_parked SET class = ?3, error = ?4, attempts = ?5, tried = ?6 WHERE projection = ?1 AND number = ?2`

	// ?1 projection, ?2 key or null, ?3 after, ?4 limit, negative for none
	parkedSQL = `SELECT ` + parkedColumns + `, at, number FROM projector_parked
		WHERE projection IN (SELECT name FROM projector_projections WHERE name = ?1 OR base = ?1)
			AND number > ?3 AND (?2 IS NULL OR key = ?2) ORDER BY number LIMIT ?4`
	parkedKeysSQL  = `SELECT key, count(*) FROM projector_parked WHERE projection = ? GROUP BY key`
	countParkedSQL = `SELECT count(*) FROM projector_parked WHERE projection = ? AND class = ?`
	clearParkedSQL = `DELETE FROM projector_parked
		WHERE projection IN (SELECT name FROM projector_projections WHERE name = ?1 OR base = ?1)`

	// ?1 projection, ?2 JSON list of ids
	knownSQL    = `SELECT id FROM projector_handled WHERE projection = ?1 AND id IN (SELECT value FROM json_each(?2))`
	rememberSQL = `INSERT INTO projector_handled (projection, id, at) SELECT ?1, value, ` + now + ` FROM json_each(?2)`

	// ?1 projection, ?2 window in milliseconds, ?3 how many at most
	forgetSQL = `DELETE FROM projector_handled WHERE projection = ?1 AND id IN (SELECT id FROM projector_handled
		WHERE projection = ?1 AND at < ` + now + ` - ?2 ORDER BY at LIMIT ?3)`
	rememberedSQL   = `SELECT count(*) FROM projector_handled WHERE projection = ?`
	clearHandledSQL = `DELETE FROM projector_handled WHERE projection = ?`

	// ?1 projection, ?2 name, ?3 args, ?4 by
	sendSQL = `INSERT INTO projector_commands (projection, name, args, by, sent)
		SELECT name, ?2, ?3, ?4, ` + now + ` FROM projector_projections WHERE name = ?1 AND shards = 1`
	forgetCommandsSQL = `DELETE FROM projector_commands WHERE done < ` + now + ` - ?`
	answerSQL         = `UPDATE projector_commands SET done = ` + now + `, answer = ?3, refused = ?4 WHERE projection = ?1 AND number = ?2 AND done IS NULL`
	commandSQL        = `SELECT ` + commandColumns + ` FROM projector_commands WHERE number = ?`
	commandsSQL       = `SELECT ` + commandColumns + ` FROM projector_commands WHERE projection = ? AND done IS NULL ORDER BY number`
)

func millis(d time.Duration) int64 { return max(1, d.Milliseconds()) }

// eventRef makes the values of last_id and last_position, null for the zero value.
func eventRef(ref checkpoint.EventRef) (id, position any) {
	if ref == (checkpoint.EventRef{}) {
		return nil, nil
	}
	return ref.ID.String(), ref.Position.String()
}

func parseEventRef(id *string, position string) (ref checkpoint.EventRef, err error) {
	if id == nil {
		return ref, nil
	}
	if ref.ID, err = uuid.Parse(*id); err != nil {
		return ref, fmt.Errorf("last event: %w", err)
	}
	ref.Position, err = checkpoint.ParsePosition(position)
	return ref, err
}
