create table model (
    id            bigint      generated always as identity primary key,
    subject       text        not null,
    outcome       text        not null,
    schema_hash   text        not null check (schema_hash <> ''),
    data_from     timestamptz not null,
    data_until    timestamptz not null,
    params        jsonb       not null check (jsonb_typeof(params) = 'object'),
    metrics       jsonb       not null check (jsonb_typeof(metrics) = 'object'),
    parent_id     bigint      references model,
    artifact      bytea       not null check (octet_length(artifact) > 0),
    artifact_hash bytea       not null generated always as (sha256(artifact)) stored,
    state         text        not null default 'candidate',
    created_at    timestamptz not null default now(),
    promoted_at   timestamptz,
    constraint model_target check ((subject, outcome) in (
        ('position', 'variance'), ('position', 'size'), ('load', 'discrepancy'), ('load', 'late'))),
    constraint model_window check (data_from <= data_until),
    constraint model_state check (state in ('candidate', 'champion', 'retired')),
    constraint model_promoted check ((state = 'candidate') = (promoted_at is null))
);

create unique index model_champion on model (subject, outcome) where state = 'champion';
