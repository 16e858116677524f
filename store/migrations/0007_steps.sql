-- What may be done: policy, recommendation, step and decision. The rules that
-- must not break are held here too, against every program that connects.

create table policy (
    version        text        collate "C" primary key,
    name           text        not null check (name <> ''),
    source         bytea       not null check (octet_length(source) > 0),
    author_id      bigint      references person,
    state          text        not null default 'draft',
    effective_from timestamptz,
    created_at     timestamptz not null default now(),
    constraint policy_version check (version = encode(sha256(source), 'hex')),
    constraint policy_state check (state in ('draft', 'scheduled', 'active', 'retired')),
    constraint policy_effective check ((state = 'draft') = (effective_from is null))
);

comment on column policy.author_id is 'null for the one that comes with the program';

create unique index policy_active on policy ((true)) where state = 'active';

-- Proposals of before had neither payload nor requirement, and nobody could
-- decide them. Ranking makes them anew.
delete from recommendation;
delete from ranking;

alter table recommendation
    drop constraint recommendation_action,
    drop constraint recommendation_subject,
    drop constraint recommendation_source,
    add column payload       bytea  not null check (octet_length(payload) > 0),
    add column evidence      bytea  not null,
    add column facts         jsonb  not null check (jsonb_typeof(facts) = 'object'),
    add column parties       jsonb  not null check (jsonb_typeof(parties) = 'array' and jsonb_array_length(parties) > 0),
    add column model_id      bigint references model,
    add column artifact_hash bytea  check (octet_length(artifact_hash) = 32),
    add column scored_at     timestamptz,
    add constraint recommendation_action check (action in (
        'count_position', 'verify_load', 'hold_receipt', 'release_receipt', 'inventory_adjustment', 'supplier_chargeback',
        'shipment_substitution', 'order_short_shipment', 'invoice_pause', 'route_ticket', 'promote_model', 'change_policy')),
    add constraint recommendation_subject check (
        cardinality(subject) between 1 and 3
        and array_position(subject, null) is null
        and array_position(subject, '') is null),
    add constraint recommendation_source check (ranking_id is null or evaluation_id is null);

comment on column recommendation.subject is 'what the action is about, such as location and SKU';
comment on column recommendation.payload is 'canonical JSON: exactly what is approved';
comment on column recommendation.facts is 'what policy looked at';
comment on column recommendation.parties is 'who proposed, counted, received and so on: [{"part", "person", "ref"}]';

-- What the execution of a step would send, in order.
create table operation (
    recommendation_id text  collate "C" not null references recommendation on delete cascade,
    n                 int   not null check (n >= 0),
    target            text  collate "C" not null check (target <> ''),
    body              bytea not null check (octet_length(body) > 0),
    compensate        bytea check (octet_length(compensate) > 0),
    primary key (recommendation_id, n)
);

-- How many humans a requirement asks for.
create function humans(requirement jsonb) returns bigint
language sql immutable parallel safe as $$
    select coalesce(sum((slot ->> 'count')::int), 0)
    from jsonb_array_elements(requirement -> 'slots') slot
$$;

drop index step_live;

alter table step
    drop constraint step_state,
    alter column state drop default,
    add column payload_hash  bytea       not null check (octet_length(payload_hash) = 32),
    add column evidence_hash bytea       not null check (octet_length(evidence_hash) = 32),
    add column plan_hash     bytea       not null check (octet_length(plan_hash) = 32),
    add column policy        text        collate "C" not null references policy,
    add column requirement   jsonb       not null check (jsonb_typeof(requirement -> 'slots') = 'array'),
    add column matched       jsonb       not null default '[]' check (jsonb_typeof(matched) = 'array'),
    add column binding       bytea       not null check (octet_length(binding) = 32),
    add column lane          text        collate "C" not null check (lane <> ''),
    add column stake_minor   bigint      not null check (stake_minor >= 0),
    add column value_minor   bigint      not null check (value_minor >= stake_minor),
    add column currency      text        check (currency ~ '^[A-Z]{3}$'),
    add column expires_at    timestamptz not null,
    add column approved_at   timestamptz,
    add column assignee_id   bigint      references person,
    add column touched_at    timestamptz,
    add column escalation    int         not null default 0 check (escalation >= 0),
    add column break_glass   boolean     not null default false,
    add column superseded_by text        collate "C",
    add column reason        text        not null default '',
    add column audited       int         not null default 0 check (audited >= 0),
    add constraint step_state check (state in (
        'blocked', 'pending', 'changes_requested', 'approved', 'executing', 'unknown', 'failed', 'compensating', 'compensation_failed',
        'succeeded', 'compensated', 'rejected', 'withdrawn', 'expired', 'superseded', 'invalidated')),
    add constraint step_human check (humans(requirement) >= 1 or state in ('blocked', 'withdrawn', 'expired', 'superseded')),
    add constraint step_approved check (
        (approved_at is not null) = (state in (
            'approved', 'executing', 'unknown', 'failed', 'compensating', 'compensation_failed',
            'succeeded', 'compensated', 'invalidated'))
        or state = 'withdrawn'),
    add constraint step_life check (approved_at < expires_at),
    add constraint step_superseded check (superseded_by is null or state = 'superseded'),
    add constraint step_break_glass check (
        not break_glass or action in ('count_position', 'verify_load', 'release_receipt'));

comment on column step.requirement is '{"slots": [{"role", "count"}], "auth", "excludes", "life_us", "deny"}';
comment on column step.binding is 'hash of all that an approver says yes to';
comment on column step.lane is 'the stock, order or document that it touches';
comment on column step.stake_minor is 'what is at stake in this step; 9223372036854775807 when unknown';
comment on column step.value_minor is 'what decides the band: with the other steps of the lane in 24 hours';
comment on column step.touched_at is 'since when people are at it; a newer ranking leaves it alone';
comment on column step.audited is 'entries of its own in the audit log';
comment on column step.reason is 'why it is in this state, in words';

create unique index step_live on step (action, site, subject)
where state in ('blocked', 'pending', 'changes_requested', 'approved', 'executing', 'unknown', 'failed', 'compensating', 'compensation_failed');

create index step_lane_idx on step (lane, action, created_at);
create index step_due_idx on step (expires_at) where state in ('blocked', 'pending', 'changes_requested');

-- The state machine, as pairs of states.
create function step_may_become(was text, becomes text) returns boolean
language sql immutable parallel safe as $$
    select case was
        when 'blocked' then becomes in ('pending', 'withdrawn', 'expired', 'superseded')
        when 'pending' then becomes in ('pending', 'approved', 'rejected', 'changes_requested', 'withdrawn', 'expired', 'superseded')
        when 'changes_requested' then becomes in ('changes_requested', 'rejected', 'withdrawn', 'expired', 'superseded')
        when 'approved' then becomes in ('withdrawn', 'executing', 'invalidated')
        when 'executing' then becomes in ('executing', 'succeeded', 'unknown', 'failed', 'compensating')
        when 'unknown' then becomes in ('executing', 'succeeded', 'failed', 'compensating')
        when 'failed' then becomes in ('executing', 'invalidated', 'withdrawn')
        when 'compensating' then becomes in ('compensating', 'compensated', 'compensation_failed')
        when 'compensation_failed' then becomes in ('compensating', 'compensated')
        else false
    end
$$;

create function check_step_change() returns trigger language plpgsql as $$
begin
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
            or exists (
                select slot ->> 'role' as role, (slot ->> 'count')::int as n
                from jsonb_array_elements(old.requirement -> 'slots') slot
                except
                select o.slot ->> 'role', (o.slot ->> 'count')::int
                from jsonb_array_elements(old.requirement -> 'slots') o (slot)
                join jsonb_array_elements(new.requirement -> 'slots') n (slot)
                    on n.slot ->> 'role' = o.slot ->> 'role' and (n.slot ->> 'count')::int >= (o.slot ->> 'count')::int)
            or not new.requirement -> 'excludes' @> (old.requirement -> 'excludes')
            or not new.requirement -> 'deny' @> (old.requirement -> 'deny') and old.state <> 'blocked'
            or old.requirement ->> 'auth' = 'fresh' and new.requirement ->> 'auth' <> 'fresh'
        then
            raise exception 'the requirement of step % cannot become weaker', old.id
                using errcode = 'integrity_constraint_violation', constraint = 'step_no_weaker';
        end if;
    elsif new.binding <> old.binding then
        raise exception 'the binding of step % cannot change by itself', old.id
            using errcode = 'integrity_constraint_violation', constraint = 'step_immutable';
    end if;
    return new;
end
$$;

create trigger step_change before update on step for each row execute function check_step_change();

-- Only proposals that nobody took up can be deleted.
create function check_step_delete() returns trigger language plpgsql as $$
begin
    if old.state <> 'superseded' or old.audited > 0 then
        raise exception 'step % stays: it is %', old.id, old.state
            using errcode = 'integrity_constraint_violation', constraint = 'step_stays';
    end if;
    return old;
end
$$;

create trigger step_delete before delete on step for each row execute function check_step_delete();

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% never changes', tg_table_name
        using errcode = 'integrity_constraint_violation', constraint = tg_table_name || '_immutable';
end
$$;

create trigger recommendation_change before update on recommendation for each row execute function refuse_change();
create trigger operation_change before update on operation for each row execute function refuse_change();

-- Who opened a step, and what they saw: bulk approval asks for it.
create table step_view (
    step_id   text        collate "C" not null references step on delete cascade,
    person_id bigint      not null references person,
    binding   bytea       not null check (octet_length(binding) = 32),
    viewed_at timestamptz not null default clock_timestamp(),
    primary key (step_id, person_id, binding)
);

create table decision (
    id           bigint      generated always as identity primary key,
    step_id      text        collate "C" not null references step,
    person_id    bigint      not null references person,
    on_behalf_of bigint      references person,
    verdict      text        not null,
    slot         text        collate "C",
    binding      bytea       not null check (octet_length(binding) = 32),
    roles        text[]      not null,
    strength     text        not null check (strength in ('session', 'fresh')),
    session      text        not null check (session <> ''),
    reason       text        not null,
    incident     text        check (incident <> ''),
    decided_at   timestamptz not null default clock_timestamp(),
    constraint decision_verdict check (verdict in ('approve', 'reject', 'request_changes')),
    constraint decision_people check (person_id <> on_behalf_of),
    constraint decision_slot check ((verdict = 'approve') = (slot is not null)),
    constraint decision_reason check (verdict = 'approve' and incident is null or reason <> ''),
    constraint decision_incident check (incident is null or verdict = 'approve' and strength = 'fresh')
);

create index decision_step_idx on decision (step_id);
create index decision_person_idx on decision (person_id, decided_at);

-- One human has one say on one binding, also through others.
create table decision_human (
    step_id     text   collate "C" not null references step,
    binding     bytea  not null,
    person_id   bigint not null references person,
    decision_id bigint not null references decision,
    primary key (step_id, binding, person_id)
);

-- A decision counts for what is asked now, by people who are no party to it.
create function check_decision() returns trigger language plpgsql as $$
declare
    s step;
begin
    select * into strict s from step where id = new.step_id for update;
    if s.state not in ('pending', 'changes_requested') or new.verdict <> 'reject' and s.state <> 'pending' then
        raise exception 'step % is %', s.id, s.state
            using errcode = 'integrity_constraint_violation', constraint = 'decision_pending';
    end if;
    if new.binding <> s.binding then
        raise exception 'step % asks for something else', s.id
            using errcode = 'integrity_constraint_violation', constraint = 'decision_binding';
    end if;
    if new.decided_at >= s.expires_at then
        raise exception 'step % expired', s.id
            using errcode = 'integrity_constraint_violation', constraint = 'decision_in_time';
    end if;
    if exists (
        select from person
        where id in (new.person_id, new.on_behalf_of) and deactivated_at is not null)
    then
        raise exception 'somebody who decides step % is not active', s.id
            using errcode = 'integrity_constraint_violation', constraint = 'decision_active';
    end if;
    if new.verdict = 'approve' and exists (
        select
        from recommendation r, jsonb_array_elements(r.parties) party
        left join person_ref f on f.ref = party ->> 'ref'
        where r.id = s.recommendation_id
            and (party ->> 'part' = 'proposer' or s.requirement -> 'excludes' ? (party ->> 'part'))
            and coalesce((party ->> 'person')::bigint, f.person_id) in (new.person_id, new.on_behalf_of))
    then
        raise exception 'a party to step % cannot approve it', s.id
            using errcode = 'integrity_constraint_violation', constraint = 'decision_duties';
    end if;
    return new;
end
$$;

create trigger decision_check before insert on decision for each row execute function check_decision();

create function note_decision_humans() returns trigger language plpgsql as $$
begin
    insert into decision_human (step_id, binding, person_id, decision_id)
    select new.step_id, new.binding, human, new.id
    from unnest(array[new.person_id, new.on_behalf_of]) human
    where human is not null;
    return null;
end
$$;

create trigger decision_humans after insert on decision for each row execute function note_decision_humans();
create trigger decision_change before update or delete on decision for each row execute function refuse_change();
create trigger decision_human_change before update or delete on decision_human for each row execute function refuse_change();

-- Two others look at every break of the glass.
create table glass_review (
    step_id     text        collate "C" not null references step,
    person_id   bigint      not null references person,
    justified   boolean     not null,
    note        text        not null check (note <> ''),
    reviewed_at timestamptz not null default clock_timestamp(),
    primary key (step_id, person_id)
);

create trigger glass_review_change before update or delete on glass_review for each row execute function refuse_change();
