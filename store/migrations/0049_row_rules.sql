-- PostgreSQL parses and plans every CHECK constraint of a table anew for each statement
-- that writes it: a quarter of what an approval cost it. The rules for one row of a
-- step, decision, execution or audit entry are now in the trigger of the table, which
-- is planned once for each connection, and keep their names.

create function step_states() returns text[] language sql immutable parallel safe as $$
    select array['blocked', 'pending', 'changes_requested', 'approved', 'executing', 'unknown', 'failed', 'compensating',
        'compensation_failed', 'succeeded', 'compensated', 'rejected', 'withdrawn', 'expired', 'superseded', 'invalidated']
$$;

create function verdicts() returns text[] language sql immutable parallel safe as $$
    select array['approve', 'reject', 'request_changes']
$$;

create function execution_states() returns text[] language sql immutable parallel safe as $$
    select array['queued', 'sending', 'unknown', 'applied', 'refused', 'cancelled']
$$;

-- Refuses a row for the rule that it breaks.
create function refuse_row(relation text, rule text) returns void language plpgsql as $$
begin
    raise exception 'new row of % breaks the rule %', relation, rule
        using errcode = 'check_violation', table = relation, constraint = rule;
end
$$;

-- A rule that says nothing about null lets it pass, as a CHECK does.
create or replace function check_step_change() returns trigger language plpgsql as $$
declare
    broken text;
begin
    if tg_op = 'INSERT' then
        broken := case
            when not new.id ~ '^st_[0-9a-z]{26}$' then 'step_id_check'
            when not new.state = any (step_states()) then 'step_state'
            when not new.version > 0 then 'step_version_check'
            when not octet_length(new.payload_hash) = 32 then 'step_payload_hash_check'
            when not octet_length(new.evidence_hash) = 32 then 'step_evidence_hash_check'
            when not octet_length(new.plan_hash) = 32 then 'step_plan_hash_check'
            when not new.lane <> '' then 'step_lane_check'
            when not new.stake_minor >= 0 then 'step_stake_minor_check'
            when not new.value_minor >= new.stake_minor then 'step_check'
            when not new.currency ~ '^[A-Z]{3}$' then 'step_currency_check'
        end;
    else
        if not step_may_become(old.state, new.state) then
            raise exception 'step % is % and cannot become %', old.id, old.state, new.state
                using errcode = 'integrity_constraint_violation', constraint = 'step_transition';
        end if;
        if new.version <> old.version + 1 then
            raise exception 'step % has version % and cannot get %', old.id, old.version, new.version
                using errcode = 'integrity_constraint_violation', constraint = 'step_version';
        end if;
        if (new.id, new.recommendation_id, new.action, new.site, new.subject, new.payload_hash, new.evidence_hash, new.plan_hash,
            new.lane, new.stake_minor, new.value_minor, new.currency, new.created_at)
            is distinct from
            (old.id, old.recommendation_id, old.action, old.site, old.subject, old.payload_hash, old.evidence_hash, old.plan_hash,
            old.lane, old.stake_minor, old.value_minor, old.currency, old.created_at) then
            raise exception 'what step % asks for cannot change', old.id
                using errcode = 'integrity_constraint_violation', constraint = 'step_immutable';
        end if;
        if (new.requirement, new.policy, new.expires_at) is distinct from (old.requirement, old.policy, old.expires_at) then
            if old.state not in ('blocked', 'pending') or new.state <> 'pending' or new.binding = old.binding
                or old.state = 'pending' and new.expires_at > old.expires_at
                or new.waits_since < old.waits_since
                or exists (
                    select slot ->> 'role' as role, (slot ->> 'count')::int as n
                    from jsonb_array_elements(old.requirement -> 'slots') slot
                    except
                    select o.slot ->> 'role', (o.slot ->> 'count')::int
                    from jsonb_array_elements(old.requirement -> 'slots') o (slot)
                    join jsonb_array_elements(new.requirement -> 'slots') n (slot)
                        on n.slot ->> 'role' = o.slot ->> 'role' and (n.slot ->> 'count')::int >= (o.slot ->> 'count')::int)
                or exists (
                    select from stand_ins(new.requirement) n
                    where old.requirement -> 'slots' @> jsonb_build_array(jsonb_build_object('role', n.slot))
                        and not exists (
                            select from stand_ins(old.requirement) o
                            where o.slot = n.slot and o.role = n.role and o.after <= n.after))
                or not new.requirement -> 'excludes' @> (old.requirement -> 'excludes')
                or not new.requirement -> 'deny' @> (old.requirement -> 'deny') and old.state <> 'blocked'
                or old.requirement ->> 'auth' = 'fresh' and new.requirement ->> 'auth' <> 'fresh'
            then
                raise exception 'the requirement of step % cannot become weaker', old.id
                    using errcode = 'integrity_constraint_violation', constraint = 'step_no_weaker';
            end if;
        elsif (new.binding, new.waits_since) is distinct from (old.binding, old.waits_since) then
            raise exception 'the binding of step % cannot change by itself', old.id
                using errcode = 'integrity_constraint_violation', constraint = 'step_immutable';
        end if;
    end if;
    broken := case
        when broken is not null then broken
        when not octet_length(new.binding) = 32 then 'step_binding_check'
        when not ((new.approved_at is not null) = (new.state in ('approved', 'executing', 'unknown', 'failed', 'compensating',
            'compensation_failed', 'succeeded', 'compensated', 'invalidated')) or new.state = 'withdrawn') then 'step_approved'
        when not new.approved_at < new.expires_at then 'step_life'
        when not (not new.break_glass or new.action in ('count_position', 'verify_load', 'release_receipt')) then 'step_break_glass'
        when not (new.superseded_by is null or new.state = 'superseded') then 'step_superseded'
        when not new.audited >= 0 then 'step_audited_check'
        when not new.escalation >= 0 then 'step_escalation_check'
        when not jsonb_typeof(new.matched) = 'array' then 'step_matched_check'
        when not jsonb_typeof(new.requirement -> 'slots') = 'array' then 'step_requirement_check'
    end;
    -- What asked for humans before, and asks for the same, still does.
    if broken is null and new.state not in ('blocked', 'withdrawn', 'expired', 'superseded')
        and (tg_op = 'INSERT' or old.state = 'blocked' or new.requirement is distinct from old.requirement)
    then
        broken := case when not humans(new.requirement) >= 1 then 'step_human' end;
    end if;
    if broken is not null then
        perform refuse_row('step', broken);
    end if;
    return new;
end
$$;

alter table step
    drop constraint step_approved, drop constraint step_audited_check, drop constraint step_binding_check, drop constraint step_break_glass,
    drop constraint step_check, drop constraint step_currency_check, drop constraint step_escalation_check,
    drop constraint step_evidence_hash_check, drop constraint step_human, drop constraint step_id_check, drop constraint step_lane_check,
    drop constraint step_life, drop constraint step_matched_check, drop constraint step_payload_hash_check,
    drop constraint step_plan_hash_check, drop constraint step_requirement_check, drop constraint step_stake_minor_check,
    drop constraint step_state, drop constraint step_superseded, drop constraint step_version_check;
drop trigger step_change on step;
create trigger step_change before insert or update on step for each row execute function check_step_change();

-- What a decision draws from a day's limit is kept with it: summing up a day read every
-- step that somebody had approved in it, to approve one more.
alter table decision add column value_minor bigint;
comment on column decision.value_minor is 'of the step';
alter table decision disable trigger decision_change;
update decision d set value_minor = s.value_minor from step s where s.id = d.step_id;
alter table decision enable trigger decision_change;
alter table decision alter column value_minor set not null;

create or replace function check_decision() returns trigger language plpgsql as $$
declare
    s      record;
    broken text;
begin
    broken := case
        when not new.verdict = any (verdicts()) then 'decision_verdict'
        when not (new.verdict = 'approve') = (new.slot is not null) then 'decision_slot'
        when not (new.as_role is null or new.verdict = 'approve' and new.as_role <> new.slot) then 'decision_as_role'
        when not new.strength in ('session', 'fresh') then 'decision_strength_check'
        when not new.session <> '' then 'decision_session_check'
        when not new.incident <> '' then 'decision_incident_check'
        when not (new.incident is null or new.verdict = 'approve' and new.strength = 'fresh') then 'decision_incident'
        when not (new.verdict = 'approve' and new.incident is null or new.reason <> '') then 'decision_reason'
        when not new.person_id <> new.on_behalf_of then 'decision_people'
    end;
    if broken is not null then
        perform refuse_row('decision', broken);
    end if;
    select id, state, binding, requirement, waits_since, expires_at, recommendation_id, site, value_minor into strict s
    from step
    where id = new.step_id
    for update;
    if s.state not in ('pending', 'changes_requested') or new.verdict <> 'reject' and s.state <> 'pending' then
        raise exception 'step % is %', s.id, s.state
            using errcode = 'integrity_constraint_violation', constraint = 'decision_pending';
    end if;
    -- As long as the step's, which is 32 bytes.
    if new.binding is distinct from s.binding then
        raise exception 'step % asks for something else', s.id
            using errcode = 'integrity_constraint_violation', constraint = 'decision_binding';
    end if;
    if new.decided_at >= s.expires_at then
        raise exception 'step % expired', s.id
            using errcode = 'integrity_constraint_violation', constraint = 'decision_in_time';
    end if;
    if new.as_role is not null then
        if not exists (
            select from stand_ins(s.requirement) x
            where x.slot = new.slot and x.role = new.as_role and s.waits_since + x.after <= least(new.decided_at, clock_timestamp()))
        then
            raise exception '% may not stand in for % on step % now', new.as_role, new.slot, s.id
                using errcode = 'integrity_constraint_violation', constraint = 'decision_stands_in';
        end if;
    end if;
    broken := case
        when exists (
            select from person
            where id in (new.person_id, new.on_behalf_of) and deactivated_at is not null)
        then 'decision_active'
        when new.verdict = 'approve' and exists (
            select
            from recommendation r, jsonb_array_elements(r.parties) party
            left join person_ref f on f.ref = party ->> 'ref'
            where r.id = s.recommendation_id
                and (party ->> 'part' = 'proposer' or s.requirement -> 'excludes' ? (party ->> 'part'))
                and coalesce((party ->> 'person')::bigint, f.person_id) in (new.person_id, new.on_behalf_of))
        then 'decision_duties'
        when new.verdict = 'approve' and not exists (
            select from role_grant g
            where g.person_id = coalesce(new.on_behalf_of, new.person_id) and g.role = coalesce(new.as_role, new.slot)
                and g.site in (s.site, '*') and g.revoked_at is null)
        then 'decision_role'
    end;
    if broken is not null then
        raise exception '% decides step %: %', new.person_id, s.id, case broken
                when 'decision_active' then 'somebody is not active'
                when 'decision_duties' then 'a party to it cannot approve it'
                else 'who approves does not hold the role'
            end
            using errcode = 'integrity_constraint_violation', constraint = broken;
    end if;
    new.value_minor := s.value_minor;
    return new;
end
$$;

alter table decision
    drop constraint decision_as_role, drop constraint decision_binding_check, drop constraint decision_incident,
    drop constraint decision_incident_check, drop constraint decision_people, drop constraint decision_reason,
    drop constraint decision_session_check, drop constraint decision_slot, drop constraint decision_strength_check,
    drop constraint decision_verdict;

-- One row and one more where somebody acts for another, rather than a query.
create or replace function note_decision_humans() returns trigger language plpgsql as $$
begin
    insert into decision_human (step_id, binding, person_id, decision_id) values (new.step_id, new.binding, new.person_id, new.id);
    if new.on_behalf_of is not null then
        insert into decision_human (step_id, binding, person_id, decision_id) values (new.step_id, new.binding, new.on_behalf_of, new.id);
    end if;
    return null;
end
$$;

create or replace function check_execution_change() returns trigger language plpgsql as $$
declare
    broken text;
begin
    if tg_op = 'INSERT' then
        broken := case
            when not new.idempotency_key ~ '^tly_[a-z2-7]{26}$' then 'execution_idempotency_key_check'
            when not new.operation >= 0 then 'execution_operation_check'
            when not new.target <> '' then 'execution_target_check'
            when not new.lane <> '' then 'execution_lane_check'
        end;
    elsif tg_op = 'DELETE' or (new.id, new.step_id, new.operation, new.compensation, new.idempotency_key, new.target, new.lane, new.body)
        is distinct from (old.id, old.step_id, old.operation, old.compensation, old.idempotency_key, old.target, old.lane, old.body)
    then
        raise exception 'what execution % sends cannot change', old.id
            using errcode = 'integrity_constraint_violation', constraint = 'execution_immutable';
    elsif old.state in ('applied', 'cancelled') then
        raise exception 'execution % is %', old.id, old.state
            using errcode = 'integrity_constraint_violation', constraint = 'execution_settled';
    elsif new.claim_epoch < old.claim_epoch then
        raise exception 'execution % was claimed by another worker', old.id
            using errcode = 'integrity_constraint_violation', constraint = 'execution_fence';
    end if;
    broken := case
        when broken is not null then broken
        when not new.state = any (execution_states()) then 'execution_state'
        when not new.attempt >= 0 then 'execution_attempt_check'
        when not new.claim_epoch >= 0 then 'execution_claim_epoch_check'
        when not octet_length(new.answer) <= 65536 then 'execution_answer_check'
    end;
    if broken is not null then
        perform refuse_row('execution', broken);
    end if;
    return new;
end
$$;

alter table execution
    drop constraint execution_answer_check, drop constraint execution_attempt_check, drop constraint execution_claim_epoch_check,
    drop constraint execution_idempotency_key_check, drop constraint execution_lane_check, drop constraint execution_operation_check,
    drop constraint execution_state, drop constraint execution_target_check;
drop trigger execution_change on execution;
create trigger execution_change before insert or delete or update on execution for each row execute function check_execution_change();

-- The same questions in one query. A human fills a slot once on a binding: that is the
-- key of decision_human.
create or replace function check_quorum() returns trigger language plpgsql as $$
declare
    s      record;
    broken text;
begin
    select id, state, approved_at, break_glass, binding, requirement, recommendation_id into strict s
    from step
    where id = new.step_id;
    if s.approved_at is null then
        raise exception 'step % is %: nothing may be sent for it', s.id, s.state
            using errcode = 'integrity_constraint_violation', constraint = 'execution_approved';
    end if;
    if s.break_glass then
        if not exists (
            select from decision d
            where d.step_id = s.id and d.binding = s.binding and d.verdict = 'approve' and d.incident is not null)
        then
            raise exception 'nobody broke the glass for step %', s.id
                using errcode = 'integrity_constraint_violation', constraint = 'execution_quorum';
        end if;
    end if;
    broken := case
        when not s.break_glass and (
            select coalesce(sum((needed ->> 'count')::int), 0) < 1 or bool_or((needed ->> 'count')::int > (
                select count(*)
                from decision_human h
                join decision d on d.id = h.decision_id and d.person_id = h.person_id and d.step_id = h.step_id and d.binding = h.binding
                where h.step_id = s.id and h.binding = s.binding and d.verdict = 'approve' and d.slot = needed ->> 'role'))
            from jsonb_array_elements(s.requirement -> 'slots') needed)
        then 'execution_quorum'
        when not exists (
            select from operation o
            where o.recommendation_id = s.recommendation_id and o.n = new.operation
                and o.target = new.target
                and new.body = case when new.compensation then o.compensate else o.body end)
        then 'execution_body'
    end;
    if broken is not null then
        raise exception 'operation % of step % was not approved%', new.operation, s.id,
                case broken when 'execution_quorum' then ' by enough people' else ' like that' end
            using errcode = 'integrity_constraint_violation', constraint = broken;
    end if;
    return null;
end
$$;

create or replace function check_audit_entry() returns trigger language plpgsql as $$
declare
    last_seq  int;
    last_leaf bytea;
begin
    if new.stream = '' or new.body = '' then
        perform refuse_row('audit_entry', case when new.stream = '' then 'audit_entry_stream_check' else 'audit_entry_body_check' end);
    end if;
    select seq, leaf into last_seq, last_leaf
    from audit_entry
    where stream = new.stream
    order by seq desc
    limit 1;
    -- By this the first has number 1, and what comes before it is a leaf or zeros.
    if new.seq is distinct from coalesce(last_seq, 0) + 1 or new.prev is distinct from coalesce(last_leaf, decode(repeat('00', 32), 'hex')) then
        raise exception 'entry % of % does not follow on the one before', new.seq, new.stream
            using errcode = 'integrity_constraint_violation', constraint = 'audit_entry_chain';
    end if;
    insert into audit_unsequenced (stream, seq) values (new.stream, new.seq);
    return new;
end
$$;

alter table audit_entry
    drop constraint audit_entry_body_check, drop constraint audit_entry_prev_check, drop constraint audit_entry_seq_check,
    drop constraint audit_entry_stream_check;

-- No query begins with who decided.
drop index decision_person_idx;
