package postgres

import (
	"strings"
	"time"

	"github.com/photonpump/projector/checkpoint"
)

// frameworkSQL are the statements about the framework's own tables of one schema. Times are always those of
// clock_timestamp(), which goes on while a transaction waits for a lock. What an owner does is done while its lease is not
// released only: a statement that was given up may reach the server after the release.
type frameworkSQL struct {
	version, inspect, claim, list, commit, renew, report, release, reset, settings, lookup, blockers string
	park, unpark, retry, answer, parked, parkedKeys, countParked, clearParked, exists, mark          string
	send, command, commands                                                                          string
	known, remember, forget, remembered, clearHandled                                                string
	enter, division, shards, holder, lockBase, lockAll, noneHeld, deleteShards, divide, refuseAll    string
	shorten                                                                                          string
	meet, buryMembers, members, owners, leave                                                        string
}

// rowsSQL reads what [decodeRows] decodes.
const rowsSQL = `SELECT name, epoch, owner, expires, coalesce(expires > clock_timestamp(), false), coalesce(position, 'start'),
			last_id, last_position, fingerprint, handled, ignored, state, reason, updated, skipped,
			(SELECT count(*) FROM {}parked k WHERE k.projection = p.name), coalesce(base, ''), shards, position IS NULL
			FROM {}projections p`

func newFrameworkSQL(schema string) frameworkSQL {
	in := func(sql string) string { return strings.ReplaceAll(sql, "{}", quote(schema)+".projector_") }
	return frameworkSQL{
		version: in(`SELECT version, oldest FROM {}version`),

		// The state of a projection for somebody who wants it. Microseconds left of the lease, null if it is free.
		inspect: in(`SELECT epoch, owner,
			CASE WHEN expires > clock_timestamp() THEN (extract(epoch FROM expires - clock_timestamp()) * 1000000)::bigint END,
			coalesce(position, 'start'), fingerprint, expires IS NOT NULL, instance, marker_id, marker_deaths, shards
			FROM {}projections WHERE name = $1`),

		// $1 name, $2 owner, $3 ttl in microseconds, $4 fingerprint, $5 start, $6 instance: of one that is not there
		enter: in(`INSERT INTO {}projections (name, epoch, owner, expires, position, fingerprint, instance)
			VALUES ($1, 1, $2, clock_timestamp() + $3 * interval '1 microsecond', $5, $4, $6)
			ON CONFLICT (name) DO NOTHING RETURNING epoch, position, last_id, last_position, deaths`),

		// The same, $7 epoch that was seen, $8 1 if its owner has died. A shard may be gone since it was seen, so this
		// makes none.
		claim: in(`UPDATE {}projections AS p SET epoch = p.epoch + 1, owner = $2,
				expires = clock_timestamp() + $3 * interval '1 microsecond', position = coalesce(p.position, $5),
				fingerprint = coalesce(nullif($4, ''), p.fingerprint), updated = clock_timestamp(),
				instance = $6, deaths = p.deaths + $8, marker_id = NULL
			WHERE p.name = $1 AND p.epoch = $7
				AND (p.expires IS NULL OR p.expires <= clock_timestamp() OR p.instance = nullif($6::uuid, '00000000-0000-0000-0000-000000000000'))
			RETURNING epoch, position, last_id, last_position, deaths`),

		list:     in(rowsSQL + ` ORDER BY name`),
		division: in(rowsSQL + ` WHERE name = $1 OR base = $1 ORDER BY name`),

		// $1 name, $2 epoch, $3 from, $4 to, $5 ttl, $6 handled, $7 ignored, $8 last id or null, $9 last position,
		// $10 skipped.
		// If no row is as expected, the division by zero makes the whole transaction fail: nobody has to look at the
		// result before it is committed.
		commit: in(`WITH moved AS (UPDATE {}projections SET position = $4, expires = clock_timestamp() + $5 * interval '1 microsecond',
				handled = handled + $6, ignored = ignored + $7, last_id = coalesce($8, last_id),
				last_position = coalesce($9, last_position), updated = clock_timestamp(), skipped = skipped + $10,
				marker_id = NULL, deaths = CASE WHEN position = $4 THEN deaths ELSE 0 END
				WHERE name = $1 AND epoch = $2 AND position = $3 AND expires IS NOT NULL RETURNING 1)
			SELECT 1 / count(*) FROM moved`),

		renew: in(`UPDATE {}projections SET expires = clock_timestamp() + $3 * interval '1 microsecond'
			WHERE name = $1 AND epoch = $2 AND expires IS NOT NULL RETURNING 1`),

		report: in(`UPDATE {}projections SET state = $3, reason = $4, updated = clock_timestamp()
			WHERE name = $1 AND epoch = $2 AND expires IS NOT NULL RETURNING 1`),

		release: in(`UPDATE {}projections SET owner = '', expires = NULL, deaths = 0, marker_id = NULL
			WHERE name = $1 AND epoch = $2`),

		mark: in(`UPDATE {}projections SET marker_id = $3, marker_deaths = $4 WHERE name = $1 AND epoch = $2 AND expires IS NOT NULL RETURNING 1`),

		reset: in(`UPDATE {}projections SET epoch = (SELECT max(epoch) FROM {}projections WHERE name = $1 OR base = $1) + 1, owner = '', expires = NULL, position = NULL, last_id = NULL,
			last_position = 'start', fingerprint = '', handled = 0, ignored = 0, state = '', reason = '', updated = clock_timestamp(),
			skipped = 0, instance = NULL, deaths = 0, marker_id = NULL, shards = 1
			WHERE name = $1 AND base IS NULL AND (expires IS NULL OR expires <= clock_timestamp()) RETURNING 1`),

		park:   parkSQL(in(`{}parked`)),
		unpark: in(`DELETE FROM {}parked WHERE projection = $1 AND number = ANY ($2)`),
		retry: in(`UPDATE {}parked SET class = $3, error = $4, attempts = $5, tried = $6
			WHERE projection = $1 AND number = $2`),
		answer: in(`UPDATE {}commands SET done = clock_timestamp(), answer = $3, refused = $4 <> 0
			WHERE projection = $1 AND number = $2 AND done IS NULL`),

		// $1 projection, $2 key or null, $3 after, $4 limit or null
		parked: in(`SELECT ` + parkedColumns + `, at, number FROM {}parked
			WHERE projection IN (SELECT name FROM {}projections WHERE name = $1 OR base = $1)
				AND number > $3 AND ($2::text IS NULL OR key = $2) ORDER BY number LIMIT $4`),
		parkedKeys:  in(`SELECT key, count(*) FROM {}parked WHERE projection = $1 GROUP BY key`),
		countParked: in(`SELECT count(*) FROM {}parked WHERE projection = $1 AND class = $2`),
		clearParked: in(`DELETE FROM {}parked WHERE projection IN (SELECT name FROM {}projections WHERE name = $1 OR base = $1)`),
		// Not clock_timestamp(), which no index can be asked for.
		known:    in(`SELECT id FROM {}handled WHERE projection = $1 AND id = ANY ($2)`),
		remember: in(`INSERT INTO {}handled (projection, id) SELECT $1, id FROM unnest($2::uuid[]) AS h (id)`),
		forget: in(`DELETE FROM {}handled WHERE projection = $1 AND id IN (SELECT id FROM {}handled
			WHERE projection = $1 AND at < now() - $2 * interval '1 microsecond' ORDER BY at LIMIT $3)`),
		remembered:   in(`SELECT count(*) FROM {}handled WHERE projection = $1`),
		clearHandled: in(`DELETE FROM {}handled WHERE projection = $1`),

		exists: in(`SELECT 1 FROM {}projections WHERE name = $1`),

		// $1 projection, $2 name, $3 args, $4 by, $5 retention in microseconds
		send: in(`WITH forgotten AS (DELETE FROM {}commands WHERE done < clock_timestamp() - $5 * interval '1 microsecond')
			INSERT INTO {}commands (projection, name, args, by) SELECT p.name, $2, $3, $4 FROM {}projections p WHERE p.name = $1 AND p.shards = 1
			RETURNING number`),
		command:  in(`SELECT ` + commandColumns + ` FROM {}commands WHERE number = $1`),
		commands: in(`SELECT ` + commandColumns + ` FROM {}commands WHERE projection = $1 AND done IS NULL ORDER BY number`),

		shards: in(`SELECT shards FROM {}projections WHERE name = $1 AND base IS NULL`),
		holder: in(`SELECT name, owner, (extract(epoch FROM expires - clock_timestamp()) * 1000000)::bigint FROM {}projections
			WHERE (name = $1 OR base = $1) AND expires > clock_timestamp() LIMIT 1`),
		// Whoever changes which shards there are has the row of the projection, so that lockAll, a statement later, sees them.
		lockBase: in(`SELECT 1 FROM {}projections WHERE name = $1 FOR UPDATE`),
		lockAll:  in(`SELECT 1 FROM {}projections WHERE name = $1 OR base = $1 ORDER BY name FOR UPDATE`),
		// Makes the whole transaction fail if somebody owns a shard.
		noneHeld: in(`SELECT 1 / CASE WHEN EXISTS (SELECT FROM {}projections WHERE base = $1 AND expires > clock_timestamp())
			THEN 0 ELSE 1 END`),
		deleteShards: in(`DELETE FROM {}projections WHERE base = $1`),

		// $1 name, $2 epoch, $3 shards, $4 position or null, $5 last id or null, $6 last position, $7 fingerprint, $8 handled,
		// $9 ignored, $10 skipped, $11 base or null, $12 state
		divide: in(`INSERT INTO {}projections (name, epoch, shards, position, last_id, last_position, fingerprint, handled, ignored,
				skipped, base, state)
			VALUES ($1, $2, $3, $4, $5, coalesce($6, 'start'), $7, $8, $9, $10, $11, $12)
			ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, shards = excluded.shards, position = excluded.position,
				last_id = excluded.last_id, last_position = excluded.last_position, fingerprint = excluded.fingerprint,
				handled = excluded.handled, ignored = excluded.ignored, skipped = excluded.skipped, updated = excluded.updated,
				owner = '', expires = NULL, state = excluded.state, reason = '', instance = NULL, deaths = 0, marker_id = NULL`),
		refuseAll: in(`UPDATE {}commands SET done = clock_timestamp(), answer = $2, refused = true WHERE done IS NULL
			AND projection IN (SELECT name FROM {}projections WHERE name = $1 OR base = $1)`),
		shorten: `SELECT set_config('lock_timeout', $1, true)`,

		// $1 projection, $2 instance, $3 owner, $4 ttl in microseconds
		meet: in(`INSERT INTO {}members AS m (projection, instance, owner, expires)
			VALUES ($1, $2, $3, clock_timestamp() + $4 * interval '1 microsecond')
			ON CONFLICT (projection, instance) DO UPDATE SET owner = excluded.owner, expires = excluded.expires,
				joined = CASE WHEN m.expires <= clock_timestamp() THEN excluded.joined ELSE m.joined END`),
		// Rows that somebody else is about to delete are left to him.
		buryMembers: in(`DELETE FROM {}members WHERE (projection, instance) IN (SELECT projection, instance FROM {}members
			WHERE projection = $1 AND expires <= clock_timestamp() FOR UPDATE SKIP LOCKED)`),
		members: in(`SELECT instance, owner FROM {}members WHERE projection = $1 AND expires > clock_timestamp() ORDER BY joined, instance`),
		owners:  in(`SELECT name, instance, owner FROM {}projections WHERE base = $1 AND expires > clock_timestamp()`),
		leave:   in(`DELETE FROM {}members WHERE projection = $1 AND instance = $2`),

		// For the length of the transaction: who we are, for those that we may block.
		settings: `SELECT set_config('application_name', $1, true)`,

		// For the length of the transaction: find rows by looking up each key, rather than by reading the whole table.
		lookup: `SELECT set_config('enable_hashjoin', $1, true), set_config('enable_mergejoin', $1, true)`,

		// Ends the backends that hold up the transaction named $1 and belong to the same projection ($2, a pattern) with
		// an epoch below $3.
		blockers: `SELECT pg_terminate_backend(b.pid) FROM pg_stat_activity w
			CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS blocking (pid)
			JOIN pg_stat_activity b ON b.pid = blocking.pid
			WHERE w.application_name = $1 AND b.application_name <> $1
				AND b.datid = w.datid
				AND CASE WHEN b.application_name LIKE $2 THEN split_part(b.application_name, ' ', 3)::bigint < $3 END`,
	}
}

func micros(d time.Duration) int64 { return d.Microseconds() }

func parsePosition(b []byte) (checkpoint.Position, error) { return checkpoint.ParsePosition(string(b)) }
