-- What happened. Codes compare by byte: the order is the same on every server
-- and comparing is cheap.

create table site (
    code       text        collate "C" primary key check (code <> ''),
    name       text        not null check (name <> ''),
    time_zone  text        not null default 'UTC' check (time_zone <> ''),
    currency   text        not null default 'XXX' check (currency ~ '^[A-Z]{3}$'),
    last_seq   bigint      not null default 0 check (last_seq >= 0),
    created_at timestamptz not null default now()
);

comment on column site.currency is 'ISO 4217; XXX until an event names one';
comment on column site.last_seq is 'of the newest event at this site';

-- One row, locked by every intake from before its first insert until its
-- commit. That makes seq gapless, recorded_at monotonic in seq, and the head a
-- watermark: every event up to it is there, and none below it will ever come.
create table event_head (
    only_one    boolean     primary key default true check (only_one),
    seq         bigint      not null check (seq >= 0),
    recorded_at timestamptz not null
);

insert into event_head (seq, recorded_at) values (0, 'epoch');

-- The columns are those of the canonical event. Quantities are thousandths of
-- the base unit, costs millionths of the major unit, offsets minutes east of UTC.
-- An absent field is null, never empty.
create table event (
    seq              bigint      not null,
    recorded_at      timestamptz not null,
    known_at         timestamptz not null,
    occurred_at      timestamptz not null,
    utc_offset       smallint    not null,
    type             text        collate "C" not null,
    source           text        collate "C" not null,
    id               text        collate "C" not null,
    site             text        collate "C" not null,
    sku              text        collate "C" not null,
    gtin             text        collate "C",
    qty              bigint,
    uom              text        collate "C",
    pack             bigint,
    from_location    text        collate "C",
    to_location      text        collate "C",
    location         text        collate "C",
    book             bigint,
    expected_qty     bigint,
    expected_at      timestamptz,
    expected_offset  smallint,
    load             text        collate "C",
    line             text        collate "C",
    order_ref        text        collate "C",
    supplier         text        collate "C",
    carrier          text        collate "C",
    lot              text        collate "C",
    serial           text        collate "C",
    user_ref         text        collate "C",
    device           text        collate "C",
    unit_cost_micros bigint,
    currency         text        collate "C",
    reason           text        collate "C",
    attrs            jsonb,
    primary key (occurred_at, seq),
    constraint event_seq check (seq > 0),
    constraint event_type check (type in (
        'asn', 'receipt', 'putaway', 'pick', 'pick_exception',
        'shipment', 'return', 'transfer', 'count', 'adjustment')),
    constraint event_times check (
        occurred_at >= '1990-01-01 00:00:00+00' and known_at >= occurred_at
        and utc_offset between -1440 and 1440
        and (expected_at is null) = (expected_offset is null)
        and expected_offset between -1440 and 1440),
    constraint event_keys check (
        source <> '' and id <> '' and octet_length(id) <= 128 and site <> '' and sku <> ''),
    constraint event_texts check (
        gtin <> '' and uom <> '' and from_location <> '' and to_location <> '' and location <> ''
        and load <> '' and line <> '' and order_ref <> '' and supplier <> '' and carrier <> ''
        and lot <> '' and serial <> '' and user_ref <> '' and device <> '' and reason <> ''),
    constraint event_quantities check (
        qty between -1000000000000000 and 1000000000000000
        and (qty >= 0 or type = 'adjustment')
        and book between -1000000000000000 and 1000000000000000
        and expected_qty between 0 and 1000000000000000
        and pack > 0),
    constraint event_required check (
        case type
            when 'asn' then expected_qty is not null and load is not null and line is not null
            when 'adjustment' then qty is not null or (reason is not null and reason = 'count')
            else qty is not null
        end),
    constraint event_cost check (
        (unit_cost_micros is null) = (currency is null)
        and unit_cost_micros >= 0
        and octet_length(currency) = 3),
    constraint event_attrs check (jsonb_typeof(attrs) = 'object')
) partition by range (occurred_at);

comment on column event.known_at is
    'from when on a feature may use it: occurred_at for imported history, else when it was recorded, never before it occurred';

create index event_seq_idx on event (seq);

-- A unique index cannot span partitions without their key, so that the
-- sender's id has a table of its own.
create table event_key (
    source text   collate "C" not null,
    id     text   collate "C" not null,
    seq    bigint not null,
    hash   bytea  not null check (octet_length(hash) = 32),
    primary key (source, id)
);

comment on column event_key.hash is 'SHA-256 of the event''s canonical JSON';

-- Records refused because their key was already there with other content.
create table event_conflict (
    id          bigint      generated always as identity primary key,
    source      text        collate "C" not null,
    event_id    text        collate "C" not null,
    seq         bigint      not null check (seq > 0),
    hash        bytea       not null check (octet_length(hash) = 32),
    body        bytea       not null check (octet_length(body) > 0),
    recorded_at timestamptz not null default now(),
    unique (source, event_id, hash)
);

comment on column event_conflict.seq is 'of the event that holds the key';
comment on column event_conflict.body is 'canonical JSON of the refused record';

-- Adds the partition of a month (UTC) unless it is there. It runs as its owner,
-- so that the application needs no right to create tables. Attaching, unlike
-- "create table … partition of", does not lock readers out.
create function add_event_month(first_day date) returns void
language plpgsql security definer set search_path from current as $$
declare
    partition text := to_char(first_day, '"event_"YYYY_MM');
begin
    if to_regclass(partition) is not null then
        return;
    end if;
    execute format('create table %I (like event including defaults including constraints)', partition);
    execute format('alter table event attach partition %I for values from (%L) to (%L)', partition,
        first_day::timestamp at time zone 'UTC',
        (first_day + interval '1 month')::timestamp at time zone 'UTC');
end
$$;
