-- What a site was told to count, in order. A newer ranking replaces it.
create table ranking (
    id         bigint      generated always as identity primary key,
    site       text        collate "C" not null references site,
    as_of      timestamptz not null,
    watermark  bigint      not null check (watermark >= 0),
    model_id   bigint      references model,
    current    boolean     not null default true,
    created_at timestamptz not null default now()
);

create unique index ranking_current on ranking (site) where current;

-- What was recommended never changes; its step does.
create table recommendation (
    id            text        collate "C" primary key check (id ~ '^rec_[0-9a-z]{26}$'),
    action        text        not null,
    site          text        collate "C" not null check (site <> ''),
    subject       text[]      collate "C" not null,
    ranking_id    bigint      references ranking,
    evaluation_id text        collate "C" references evaluation,
    created_at    timestamptz not null default now(),
    constraint recommendation_action check (action in ('count_position', 'verify_load')),
    constraint recommendation_subject check (
        cardinality(subject) = case action when 'count_position' then 2 else 1 end
        and array_position(subject, null) is null
        and array_position(subject, '') is null),
    constraint recommendation_source check (
        case action
            when 'count_position' then ranking_id is not null and evaluation_id is null
            else evaluation_id is not null and ranking_id is null
        end)
);

comment on column recommendation.subject is 'count_position: location, SKU; verify_load: load';

create index recommendation_ranking_idx on recommendation (ranking_id);
create index recommendation_evaluation_idx on recommendation (evaluation_id);

create table step (
    id                text        collate "C" primary key check (id ~ '^st_[0-9a-z]{26}$'),
    recommendation_id text        collate "C" not null unique references recommendation on delete cascade,
    action            text        not null,
    site              text        collate "C" not null,
    subject           text[]      collate "C" not null,
    state             text        not null default 'proposed',
    version           int         not null default 1 check (version > 0),
    created_at        timestamptz not null default now(),
    changed_at        timestamptz not null default now(),
    constraint step_state check (state in (
        'proposed', 'open', 'claimed', 'changes_requested',
        'approved', 'rejected', 'withdrawn', 'expired', 'superseded'))
);

create unique index step_live on step (action, site, subject)
where state in ('proposed', 'open', 'claimed', 'changes_requested');

create table queue_row (
    recommendation_id   text        collate "C" primary key references recommendation on delete cascade,
    ranking_id          bigint      not null references ranking,
    rank                int         not null check (rank > 0),
    location            text        collate "C" not null check (location <> ''),
    sku                 text        collate "C" not null check (sku <> ''),
    zone                text        collate "C" not null,
    class               text        collate "C" not null,
    probability         float8      not null check (probability between 0 and 1),
    size                float8      not null check (size >= 0 and size < 'infinity'),
    expected_loss_minor bigint,
    currency            text,
    minutes             float8      not null check (minutes > 0 and minutes < 'infinity'),
    value_per_minute    float8      not null check (value_per_minute >= 0 and value_per_minute < 'infinity'),
    last_count_at       timestamptz,
    book                bigint,
    reasons             jsonb       not null check (jsonb_typeof(reasons) = 'array'),
    control             boolean     not null,
    propensity          float8      not null check (propensity > 0 and propensity <= 1),
    vector              bytea       not null check (octet_length(vector) % 4 = 0),
    unique (ranking_id, rank),
    constraint queue_row_money check (
        (expected_loss_minor is null) = (currency is null) and currency ~ '^[A-Z]{3}$')
);

comment on column queue_row.size is 'expected units of variance, if there is one';
comment on column queue_row.value_per_minute is 'expected loss, in major units, found per minute of counting';
comment on column queue_row.propensity is 'probability with which the row came to be in the queue';
comment on column queue_row.vector is 'float32, little endian, as it was scored';

alter table queue_row alter column vector set storage external;
