package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Violation is a row that breaks an invariant.
type Violation struct {
	Invariant string // "I1" to "I22", of tickets "T1" to "T4"
	Means     string // what must hold
	Row       string // that does not
}

// invariants are asserted on what is recorded. Each query returns the rows that
// break it. I7, that a target applies a key once, can only be counted at the
// target; here it is that no key was confirmed twice. I10 to I12 are held by
// triggers on every change; here it is what they leave behind that is looked at.
var invariants = []struct{ name, means, query string }{
	{"I1", "an execution has a quorum of different humans on the binding in force", `
		select e.id::text
		from execution e
		join step s on s.id = e.step_id
		where s.approved_at is null or humans(s.requirement) < 1
			or s.break_glass and not exists (
				select from decision d
				where d.step_id = s.id and d.binding = s.binding and d.verdict = 'approve' and d.incident is not null)
			or not s.break_glass and exists (
				select from jsonb_array_elements(s.requirement -> 'slots') needed
				where (needed ->> 'count')::int > (
					select count(distinct d.person_id)
					from decision d
					where d.step_id = s.id and d.binding = s.binding and d.verdict = 'approve' and d.slot = needed ->> 'role'))`},
	{"I2", "who authorised a step did so for its binding", `
		select s.id
		from step s
		where s.approved_at is not null and not exists (
			select from decision d where d.step_id = s.id and d.binding = s.binding and d.verdict = 'approve')`},
	{"I3", "no party to a step approved it, nor anybody for them", `
		select d.id::text
		from decision d
		join step s on s.id = d.step_id
		join recommendation r on r.id = s.recommendation_id
		cross join jsonb_array_elements(r.parties) party
		where d.verdict = 'approve' and d.binding = s.binding
			and (party ->> 'part' = 'proposer' or s.requirement -> 'excludes' ? (party ->> 'part'))
			and (party ->> 'person')::bigint in (d.person_id, d.on_behalf_of)`},
	{"I4", "one human decides once on one binding, also through others", `
		select step_id
		from (
			select d.step_id, d.binding, human
			from decision d, unnest(array[d.person_id, d.on_behalf_of]) human
			where human is not null) x
		group by step_id, binding, human
		having count(*) > 1`},
	{"I5", "an action on a subject has one live step", `
		select min(id)
		from step
		where ` + liveStates + `
		group by action, site, subject
		having count(*) > 1`},
	{"I6", "an operation has one execution, with a key of its own", `
		select min(step_id)
		from execution
		group by step_id, operation, compensation
		having count(*) > 1
		union all
		select min(step_id)
		from execution
		group by idempotency_key
		having count(*) > 1`},
	{"I7", "an operation is confirmed once", `
		select execution_id::text
		from execution_attempt
		where outcome = 'applied'
		group by execution_id
		having count(*) > 1`},
	{"I8", "every change of a step has its audit entry, without a gap", `
		select s.id
		from step s
		left join lateral (select count(*) as n, max(seq) as last from audit_entry a where a.stream = s.id) a on true
		where s.audited <> a.n or s.audited <> coalesce(a.last, 0) or s.audited > 0 and s.audited < s.version - 1`},
	{"I9", "what is approved is queued, and sent or looked at within a minute of its turn", `
		select s.id
		from step s
		where s.state in ('approved', 'executing') and not exists (select from execution e where e.step_id = s.id)
		union all
		select e.step_id
		from execution e
		join step s on s.id = e.step_id
		left join target t on t.name = e.target
		where s.state in ` + sendingStates + ` and t.paused_at is null and e.next_attempt_at < clock_timestamp() - interval '1 minute'
			and e.changed_at < clock_timestamp() - interval '1 minute'
			and (e.state = 'queued' or e.state = 'sending' and e.target <> 'manual' or e.state = 'unknown' and t.query_url is not null)
			and ` + isNext + `
			and not exists (
				select from river_job j
				where j.kind = 'execute' and j.args @> jsonb_build_object('step', e.step_id)
					and j.state in ('available', 'pending', 'scheduled', 'retryable', 'running'))`},
	{"I10", "nothing is on its way for a step that is over", `
		select e.id::text
		from execution e
		join step s on s.id = e.step_id
		where e.state in ('queued', 'sending', 'unknown')
			and s.state in ('succeeded', 'compensated', 'rejected', 'withdrawn', 'expired', 'superseded', 'invalidated')`},
	{"I11", "every transition raised the version by one", `
		select id
		from step
		where version < 1 or audited > version`},
	{"I12", "a step that can be approved asks for a human", `
		select id
		from step
		where humans(requirement) < 1 and state not in ('blocked', 'withdrawn', 'expired', 'superseded')`},
	{"I13", "who decided is a human", `
		select d.id::text
		from decision d
		left join person p on p.id = d.person_id
		where p.id is null or d.session = ''`},
	{"I14", "nobody approved more in a day than a limit that they had", `
		select d.id::text
		from decision d
		join step s on s.id = d.step_id
		where d.verdict = 'approve' and not exists (
			select from role_grant g
			where g.person_id = coalesce(d.on_behalf_of, d.person_id) and g.role = coalesce(d.as_role, d.slot) and (g.site = s.site or g.site = '*')
				and (g.unlimited or g.daily_minor >= (
					select sum(t.value_minor::numeric)
					from decision b
					join step t on t.id = b.step_id and t.binding = b.binding
					where coalesce(b.on_behalf_of, b.person_id) = g.person_id and b.verdict = 'approve'
						and b.decided_at > d.decided_at - interval '24 hours' and b.decided_at <= d.decided_at)))`},
	{"I15", "nothing was sent for a step after it was taken back", `
		select e.id::text
		from execution e
		join step s on s.id = e.step_id
		join execution_attempt a on a.execution_id = e.id
		where s.state in ('withdrawn', 'invalidated') and a.sent_at > s.changed_at
		union all
		select s.id
		from step s
		where s.approved_at >= s.expires_at`},
	{"I16", "what is sent is what was approved, to the byte", `
		select e.id::text
		from execution e
		join step s on s.id = e.step_id
		join recommendation r on r.id = s.recommendation_id
		left join operation o on o.recommendation_id = r.id and o.n = e.operation
		where o.n is null or e.target <> o.target or e.body is distinct from case when e.compensation then o.compensate else o.body end
			or s.payload_hash <> sha256(convert_to('tallyman/rec/v1', 'UTF8') || '\x00'::bytea || r.payload)`},
	{"I17", "a model is in force by a step that people approved, or as the first of its outcome by an operator", `
		select m.id::text
		from model m
		where m.authority <> 'before' and m.promoted_at is not null
			and not (m.authority = 'operator' and not exists (
					select from model o
					where (o.subject, o.outcome) = (m.subject, m.outcome) and o.id <> m.id and o.promoted_at < m.promoted_at)
				and exists (
					select from audit_entry a
					where a.stream = 'model' and convert_from(a.body, 'UTF8')::jsonb -> 'facts' ->> 'model' = m.id::text))
			and not exists (
				select from step s
				join recommendation r on r.id = s.recommendation_id
				where s.id = m.authority and s.action = 'promote_model' and s.approved_at is not null and r.model_id = m.id)`},
	{"I18", "what is carried out is the plan that was approved, with what undoes it", `
		select s.id
		from step s
		where s.approved_at is not null and s.plan_hash <> plan_hash(s.recommendation_id)`},
	{"I19", "operations go in order, and are taken back in reverse", `
		select e.id::text
		from execution e
		join execution before on before.step_id = e.step_id and before.compensation = e.compensation
			and case when e.compensation then before.operation > e.operation else before.operation < e.operation end
		where e.attempt > 0 and before.state <> 'applied'
		union all
		select c.id::text
		from execution c
		where c.compensation and not exists (
			select from execution e
			where e.step_id = c.step_id and e.operation = c.operation and not e.compensation and e.state = 'applied')`},
	{"I20", "others than who broke the glass reviewed it", `
		select g.step_id
		from glass_review g
		join step s on s.id = g.step_id
		left join decision d on d.step_id = s.id and d.verdict = 'approve' and g.person_id in (d.person_id, d.on_behalf_of)
		where not s.break_glass or d.id is not null`},
	{"I21", "who stood in for a role was let by what the step required, and after it had waited so long", `
		select d.id::text
		from decision d
		join step s on s.id = d.step_id and s.binding = d.binding
		where d.as_role is not null and not exists (
			select from stand_ins(s.requirement) x
			where x.slot = d.slot and x.role = d.as_role and s.waits_since + x.after <= d.decided_at)`},
	{"I22", "what was decided and carried out belongs to a step, and a decision has the value of its step", `
		select d.id::text
		from decision d
		left join step s on s.id = d.step_id
		where s.id is null or s.value_minor <> d.value_minor
		union all
		select e.id::text
		from execution e
		left join step s on s.id = e.step_id
		where s.id is null`},
	{"T1", "a ticket is never less urgent, nor open to more, than its words allow, and no label is missing", `
		select t.id
		from ticket t
		join ticket_label l on l.ticket_id = t.id
		group by t.id
		having max(l.severity) > t.floor or t.floor_restricted and not bool_and(l.restricted) or count(*) <> t.label_seq`},
	{"T2", "what a budget says is spent is what its requests cost or may cost", `
		select d.site || ' ' || d.day
		from llm_day d
		left join lateral (
			select count(*) as n, sum(coalesce(tokens, most_tokens)) as tokens, sum(coalesce(nanos, most_nanos)) as nanos
			from llm_request r
			where r.site = d.site and r.day = d.day) r on true
		where d.requests <> r.n or d.tokens <> coalesce(r.tokens, 0) or d.nanos <> coalesce(r.nanos, 0)`},
	{"T3", "a ticket that a language model is to be asked about is asked about, or left to people", `
		select t.id
		from ticket t
		where t.asking = 'waiting' and t.received_at < clock_timestamp() - interval '15 minutes' and not exists (
			select from river_job j
			where j.kind = 'ask' and j.args @> jsonb_build_object('ticket', t.id)
				and j.state in ('available', 'pending', 'scheduled', 'retryable', 'running'))`},
	{"T4", "what a label proposes is the step of its ticket, to its owner", `
		select l.ticket_id
		from ticket_label l
		join step s on s.id = l.step_id
		where s.action <> 'route_ticket' or s.subject <> array[l.ticket_id]`},
}

// Invariants returns what in the database breaks a rule that nothing may break.
// On a sound system there is nothing.
func (db *DB) Invariants(ctx context.Context) ([]Violation, error) {
	var found []Violation
	err := pgx.BeginTxFunc(ctx, db.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `set local statement_timeout = 0`); err != nil {
			return err
		}
		for _, i := range invariants {
			rows, _ := tx.Query(ctx, i.query)
			broken, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				return fmt.Errorf("%s: %w", i.name, err)
			}
			for _, row := range broken {
				found = append(found, Violation{Invariant: i.name, Means: i.means, Row: row})
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("invariants: %w", err)
	}
	return found, nil
}
