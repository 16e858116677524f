-- What is sent to other systems, and what may keep it from being sent.

create table target (
    name          text        collate "C" primary key check (name ~ '^[a-z][a-z0-9-]{0,62}$'),
    url           text        not null check (url ~ '^https?://'),
    query_url     text        check (query_url ~ '^https?://'),
    sites         text[]      collate "C" not null,
    kinds         text[]      not null check (cardinality(kinds) > 0),
    idempotent    boolean     not null default true,
    allow_private boolean     not null default false,
    paused_at     timestamptz,
    created_at    timestamptz not null default now(),
    constraint target_reserved check (name not in ('tallyman', 'manual'))
);

comment on column target.query_url is 'answers whether an idempotency key was applied; null when the target cannot say';
comment on column target.sites is '"*" for every site';
comment on column target.idempotent is 'an operation sent twice under one key is applied once';
comment on column target.allow_private is 'may resolve to a private address';

-- Signing keys: every one in force signs, so that they can be changed in turn.
create table target_secret (
    id         bigint      generated always as identity primary key,
    target     text        collate "C" not null references target,
    secret     bytea       not null check (octet_length(secret) between 24 and 64),
    created_at timestamptz not null default now(),
    expires_at timestamptz
);

create table execution (
    id              bigint      generated always as identity primary key,
    step_id         text        collate "C" not null references step,
    operation       int         not null check (operation >= 0),
    compensation    boolean     not null default false,
    idempotency_key text        collate "C" not null unique check (idempotency_key ~ '^tly_[a-z2-7]{26}$'),
    target          text        collate "C" not null check (target <> ''),
    lane            text        collate "C" not null check (lane <> ''),
    body            bytea       not null,
    state           text        not null default 'queued',
    attempt         int         not null default 0 check (attempt >= 0),
    claim_epoch     int         not null default 0 check (claim_epoch >= 0),
    next_attempt_at timestamptz not null default clock_timestamp(),
    answer_status   int,
    answer          bytea       check (octet_length(answer) <= 65536),
    error           text,
    created_at      timestamptz not null default clock_timestamp(),
    changed_at      timestamptz not null default clock_timestamp(),
    unique (step_id, operation, compensation),
    constraint execution_state check (state in ('queued', 'sending', 'unknown', 'applied', 'refused', 'cancelled'))
);

comment on column execution.lane is 'site and SKU, or site and document: one after the other, by id';
comment on column execution.claim_epoch is 'grows with every claim; only the newest claimant can settle';

create index execution_due_idx on execution (next_attempt_at) where state in ('queued', 'sending', 'unknown');
create index execution_lane_idx on execution (lane, id) where state in ('queued', 'sending', 'unknown');

create table execution_attempt (
    execution_id  bigint      not null references execution,
    claim_epoch   int         not null,
    sent_at       timestamptz not null,
    answered_at   timestamptz not null default clock_timestamp(),
    outcome       text        not null check (outcome in ('applied', 'retry', 'unknown', 'refused')),
    answer_status int,
    detail        text        not null,
    primary key (execution_id, claim_epoch)
);

-- Nothing is sent without a quorum of different humans on the binding in force.
create function check_quorum() returns trigger language plpgsql as $$
declare
    s step;
begin
    select * into strict s from step where id = new.step_id;
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
    elsif humans(s.requirement) < 1 or exists (
        select
        from jsonb_array_elements(s.requirement -> 'slots') needed
        where (needed ->> 'count')::int > (
            select count(distinct d.person_id)
            from decision d
            join decision_human h on h.decision_id = d.id and h.person_id = d.person_id
            where d.step_id = s.id and d.binding = s.binding and d.verdict = 'approve' and d.slot = needed ->> 'role'))
    then
        raise exception 'step % was not approved by enough people', s.id
            using errcode = 'integrity_constraint_violation', constraint = 'execution_quorum';
    end if;
    if not exists (
        select from operation o
        where o.recommendation_id = s.recommendation_id and o.n = new.operation
            and o.target = new.target
            and new.body = case when new.compensation then o.compensate else o.body end)
    then
        raise exception 'operation % of step % is not what was approved', new.operation, s.id
            using errcode = 'integrity_constraint_violation', constraint = 'execution_body';
    end if;
    return null;
end
$$;

create constraint trigger execution_quorum after insert on execution
deferrable initially deferred for each row execute function check_quorum();

-- An approved step has its executions when its transaction commits.
create function check_approved_step() returns trigger language plpgsql as $$
begin
    if (select count(*) from execution where step_id = new.id and not compensation)
        <> (select count(*) from operation where recommendation_id = new.recommendation_id)
    then
        raise exception 'step % is approved and not all of its operations are queued', new.id
            using errcode = 'integrity_constraint_violation', constraint = 'step_executions';
    end if;
    return null;
end
$$;

create constraint trigger step_executions after update on step
deferrable initially deferred for each row when (new.state = 'approved') execute function check_approved_step();

create function check_execution_change() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or (new.id, new.step_id, new.operation, new.compensation, new.idempotency_key, new.target, new.lane, new.body)
        is distinct from (old.id, old.step_id, old.operation, old.compensation, old.idempotency_key, old.target, old.lane, old.body)
    then
        raise exception 'what execution % sends cannot change', old.id
            using errcode = 'integrity_constraint_violation', constraint = 'execution_immutable';
    end if;
    if old.state in ('applied', 'cancelled') then
        raise exception 'execution % is %', old.id, old.state
            using errcode = 'integrity_constraint_violation', constraint = 'execution_settled';
    end if;
    if new.claim_epoch < old.claim_epoch then
        raise exception 'execution % was claimed by another worker', old.id
            using errcode = 'integrity_constraint_violation', constraint = 'execution_fence';
    end if;
    return new;
end
$$;

create trigger execution_change before update or delete on execution for each row execute function check_execution_change();
create trigger execution_attempt_change before update or delete on execution_attempt for each row execute function refuse_change();

create table kill_switch (
    id        bigint      generated always as identity primary key,
    kind      text,
    site      text        collate "C",
    model_id  bigint      references model,
    target    text        collate "C",
    reason    text        not null check (reason <> ''),
    thrown_by bigint      references person,
    thrown_at timestamptz not null default clock_timestamp(),
    lifted_by bigint      references person,
    lifted_at timestamptz
);

comment on table kill_switch is 'a null in kind, site, model_id or target matches all';

create table freeze_window (
    id        bigint      generated always as identity primary key,
    kind      text,
    site      text        collate "C",
    begins_at timestamptz not null,
    ends_at   timestamptz not null,
    reason    text        not null check (reason <> ''),
    set_by    bigint      references person,
    set_at    timestamptz not null default clock_timestamp(),
    lifted_at timestamptz,
    constraint freeze_window_time check (ends_at > begins_at)
);

-- A request that changes something is answered once; the same key gives the
-- same answer.
create table answered_request (
    actor       text        collate "C" not null check (actor <> ''),
    key         text        collate "C" not null check (octet_length(key) between 1 and 255),
    fingerprint bytea       not null check (octet_length(fingerprint) = 32),
    status      int         not null,
    answer      bytea       not null,
    created_at  timestamptz not null default now(),
    primary key (actor, key)
);
