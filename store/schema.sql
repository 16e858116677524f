-- The schema after all migrations, for reading: go test ./store -run TestSchemaFile -update

create table event (
    seq bigint not null,
    recorded_at timestamp with time zone not null,
    known_at timestamp with time zone not null,
    occurred_at timestamp with time zone not null,
    utc_offset smallint not null,
    type text collate "C" not null,
    source text collate "C" not null,
    id text collate "C" not null,
    site text collate "C" not null,
    sku text collate "C" not null,
    gtin text collate "C",
    qty bigint,
    uom text collate "C",
    pack bigint,
    from_location text collate "C",
    to_location text collate "C",
    location text collate "C",
    book bigint,
    expected_qty bigint,
    expected_at timestamp with time zone,
    expected_offset smallint,
    load text collate "C",
    line text collate "C",
    order_ref text collate "C",
    supplier text collate "C",
    carrier text collate "C",
    lot text collate "C",
    serial text collate "C",
    user_ref text collate "C",
    device text collate "C",
    unit_cost_micros bigint,
    currency text collate "C",
    reason text collate "C",
    attrs jsonb,
    constraint event_pkey PRIMARY KEY (occurred_at, seq),
    constraint event_attrs CHECK ((jsonb_typeof(attrs) = 'object'::text)),
    constraint event_cost CHECK ((((unit_cost_micros IS NULL) = (currency IS NULL)) AND (unit_cost_micros >= 0) AND (octet_length(currency) = 3))),
    constraint event_keys CHECK (((source <> ''::text) AND (id <> ''::text) AND (octet_length(id) <= 128) AND (site <> ''::text) AND (sku <> ''::text))),
    constraint event_quantities CHECK ((((qty >= '-1000000000000000'::bigint) AND (qty <= '1000000000000000'::bigint)) AND ((qty >= 0) OR (type = 'adjustment'::text)) AND ((book >= '-1000000000000000'::bigint) AND (book <= '1000000000000000'::bigint)) AND ((expected_qty >= 0) AND (expected_qty <= '1000000000000000'::bigint)) AND (pack > 0))),
    constraint event_required CHECK (
CASE type
    WHEN 'asn'::text THEN ((expected_qty IS NOT NULL) AND (load IS NOT NULL) AND (line IS NOT NULL))
    WHEN 'adjustment'::text THEN ((qty IS NOT NULL) OR ((reason IS NOT NULL) AND (reason = 'count'::text)))
    ELSE (qty IS NOT NULL)
END),
    constraint event_seq CHECK ((seq > 0)),
    constraint event_texts CHECK (((gtin <> ''::text) AND (uom <> ''::text) AND (from_location <> ''::text) AND (to_location <> ''::text) AND (location <> ''::text) AND (load <> ''::text) AND (line <> ''::text) AND (order_ref <> ''::text) AND (supplier <> ''::text) AND (carrier <> ''::text) AND (lot <> ''::text) AND (serial <> ''::text) AND (user_ref <> ''::text) AND (device <> ''::text) AND (reason <> ''::text))),
    constraint event_times CHECK (((occurred_at >= '1990-01-01 00:00:00+00'::timestamp with time zone) AND (known_at >= occurred_at) AND ((utc_offset >= '-1440'::integer) AND (utc_offset <= 1440)) AND ((expected_at IS NULL) = (expected_offset IS NULL)) AND ((expected_offset >= '-1440'::integer) AND (expected_offset <= 1440)))),
    constraint event_type CHECK ((type = ANY (ARRAY['asn'::text, 'receipt'::text, 'putaway'::text, 'pick'::text, 'pick_exception'::text, 'shipment'::text, 'return'::text, 'transfer'::text, 'count'::text, 'adjustment'::text]))),
) partition by RANGE (occurred_at);
CREATE INDEX event_seq_idx ON ONLY public.event USING btree (seq);
comment on column event.known_at is 'from when on a feature may use it: occurred_at for imported history, else when it was recorded, never before it occurred';

create table event_conflict (
    id bigint not null generated always as identity,
    source text collate "C" not null,
    event_id text collate "C" not null,
    seq bigint not null,
    hash bytea not null,
    body bytea not null,
    recorded_at timestamp with time zone not null default now(),
    constraint event_conflict_source_event_id_hash_key UNIQUE (source, event_id, hash),
    constraint event_conflict_pkey PRIMARY KEY (id),
    constraint event_conflict_body_check CHECK ((octet_length(body) > 0)),
    constraint event_conflict_hash_check CHECK ((octet_length(hash) = 32)),
    constraint event_conflict_seq_check CHECK ((seq > 0)),
);
comment on column event_conflict.seq is 'of the event that holds the key';
comment on column event_conflict.body is 'canonical JSON of the refused record';

create table event_head (
    only_one boolean not null default true,
    seq bigint not null,
    recorded_at timestamp with time zone not null,
    constraint event_head_pkey PRIMARY KEY (only_one),
    constraint event_head_only_one_check CHECK (only_one),
    constraint event_head_seq_check CHECK ((seq >= 0)),
);

create table event_key (
    source text collate "C" not null,
    id text collate "C" not null,
    seq bigint not null,
    hash bytea not null,
    constraint event_key_pkey PRIMARY KEY (source, id),
    constraint event_key_hash_check CHECK ((octet_length(hash) = 32)),
);
comment on column event_key.hash is 'SHA-256 of the event''s canonical JSON';

create table schema_migration (
    version integer not null,
    name text not null,
    checksum bytea not null,
    applied_at timestamp with time zone not null default now(),
    constraint schema_migration_pkey PRIMARY KEY (version),
    constraint schema_migration_checksum_check CHECK ((octet_length(checksum) = 32)),
);

create table site (
    code text collate "C" not null,
    name text not null,
    time_zone text not null default 'UTC'::text,
    currency text not null default 'XXX'::text,
    last_seq bigint not null default 0,
    created_at timestamp with time zone not null default now(),
    constraint site_pkey PRIMARY KEY (code),
    constraint site_code_check CHECK ((code <> ''::text)),
    constraint site_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    constraint site_last_seq_check CHECK ((last_seq >= 0)),
    constraint site_name_check CHECK ((name <> ''::text)),
    constraint site_time_zone_check CHECK ((time_zone <> ''::text)),
);
comment on column site.currency is 'ISO 4217; XXX until an event names one';
comment on column site.last_seq is 'of the newest event at this site';

CREATE OR REPLACE FUNCTION public.add_event_month(first_day date)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO '$user', 'public'
AS $function$
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
$function$

