-- The schema after all migrations, for reading: go test ./store -run TestSchemaFile -update

create table api_key (
    id text collate "C" not null,
    name text not null,
    env text not null,
    secret_hash bytea not null,
    scopes text[] not null,
    sites text[] collate "C" not null,
    created_at timestamp with time zone not null default now(),
    expires_at timestamp with time zone not null,
    last_used_at timestamp with time zone,
    revoked_at timestamp with time zone,
    constraint api_key_pkey PRIMARY KEY (id),
    constraint api_key_env_check CHECK ((env ~ '^[a-z]{1,8}$'::text)),
    constraint api_key_expiry CHECK (((expires_at > created_at) AND (expires_at <= (created_at + '366 days'::interval)))),
    constraint api_key_id_check CHECK ((id ~ '^[0-9A-Za-z]{8}$'::text)),
    constraint api_key_name_check CHECK ((name <> ''::text)),
    constraint api_key_scopes CHECK (((cardinality(scopes) > 0) AND (scopes <@ ARRAY['events:write'::text, 'risk:write'::text, 'risk:read'::text, 'queue:read'::text]))),
    constraint api_key_secret_hash_check CHECK ((octet_length(secret_hash) = 32)),
    constraint api_key_sites CHECK (((array_position(sites, NULL::text) IS NULL) AND (array_position(sites, ''::text) IS NULL))),
);
comment on column api_key.sites is 'empty for every site';

create table evaluation (
    id text collate "C" not null,
    api_key text collate "C" not null,
    idempotency_key text collate "C",
    fingerprint bytea not null,
    answer bytea not null,
    site text collate "C" not null,
    subject text not null,
    load text collate "C",
    as_of timestamp with time zone not null,
    watermark bigint not null,
    model_ids bigint[] not null,
    schema_hash text not null,
    outcomes text[] not null,
    degraded boolean not null,
    missing text[] not null,
    lines text[] collate "C" not null,
    skus text[] collate "C" not null,
    locations text[] collate "C" not null,
    vectors bytea not null,
    probabilities double precision[] not null,
    created_at timestamp with time zone not null default now(),
    constraint evaluation_api_key_idempotency_key_key UNIQUE (api_key, idempotency_key),
    constraint evaluation_pkey PRIMARY KEY (id),
    constraint evaluation_answer_check CHECK ((octet_length(answer) > 0)),
    constraint evaluation_api_key_check CHECK ((api_key <> ''::text)),
    constraint evaluation_fingerprint_check CHECK ((octet_length(fingerprint) = 32)),
    constraint evaluation_id_check CHECK ((id ~ '^rev_[0-9a-z]{26}$'::text)),
    constraint evaluation_idempotency_key_check CHECK (((octet_length(idempotency_key) >= 1) AND (octet_length(idempotency_key) <= 255))),
    constraint evaluation_lines CHECK (((cardinality(lines) > 0) AND (cardinality(skus) = cardinality(lines)) AND (cardinality(locations) = cardinality(lines)) AND ((octet_length(vectors) % (4 * cardinality(lines))) = 0) AND (cardinality(probabilities) = (cardinality(lines) * cardinality(outcomes))))),
    constraint evaluation_load_check CHECK ((load <> ''::text)),
    constraint evaluation_model_ids_check CHECK ((array_position(model_ids, NULL::bigint) IS NULL)),
    constraint evaluation_outcomes_check CHECK ((outcomes <@ ARRAY['variance'::text, 'size'::text, 'discrepancy'::text, 'late'::text])),
    constraint evaluation_probabilities CHECK ((((0)::double precision <= ALL (probabilities)) AND ((1)::double precision >= ALL (probabilities)))),
    constraint evaluation_schema_hash_check CHECK ((schema_hash <> ''::text)),
    constraint evaluation_site_check CHECK ((site <> ''::text)),
    constraint evaluation_subject_check CHECK ((subject = ANY (ARRAY['position'::text, 'load'::text]))),
    constraint evaluation_watermark_check CHECK ((watermark >= 0)),
);
comment on column evaluation.fingerprint is 'SHA-256 of the request that the idempotency key stands for';
comment on column evaluation.answer is 'the exact bytes that were answered';
comment on column evaluation.vectors is 'float32, little endian';

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

create table model (
    id bigint not null generated always as identity,
    subject text not null,
    outcome text not null,
    schema_hash text not null,
    data_from timestamp with time zone not null,
    data_until timestamp with time zone not null,
    params jsonb not null,
    metrics jsonb not null,
    parent_id bigint,
    artifact bytea not null,
    artifact_hash bytea not null default sha256(artifact),
    state text not null default 'candidate'::text,
    created_at timestamp with time zone not null default now(),
    promoted_at timestamp with time zone,
    constraint model_pkey PRIMARY KEY (id),
    constraint model_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES model(id),
    constraint model_artifact_check CHECK ((octet_length(artifact) > 0)),
    constraint model_metrics_check CHECK ((jsonb_typeof(metrics) = 'object'::text)),
    constraint model_params_check CHECK ((jsonb_typeof(params) = 'object'::text)),
    constraint model_promoted CHECK (((state = 'candidate'::text) = (promoted_at IS NULL))),
    constraint model_schema_hash_check CHECK ((schema_hash <> ''::text)),
    constraint model_state CHECK ((state = ANY (ARRAY['candidate'::text, 'champion'::text, 'retired'::text]))),
    constraint model_target CHECK ((((((subject = 'position'::text) AND (outcome = 'variance'::text)) OR ((subject = 'position'::text) AND (outcome = 'size'::text))) OR ((subject = 'load'::text) AND (outcome = 'discrepancy'::text))) OR ((subject = 'load'::text) AND (outcome = 'late'::text)))),
    constraint model_window CHECK ((data_from <= data_until)),
);
CREATE UNIQUE INDEX model_champion ON public.model USING btree (subject, outcome) WHERE (state = 'champion'::text);

create table queue_row (
    recommendation_id text collate "C" not null,
    ranking_id bigint not null,
    rank integer not null,
    location text collate "C" not null,
    sku text collate "C" not null,
    zone text collate "C" not null,
    class text collate "C" not null,
    probability double precision not null,
    size double precision not null,
    expected_loss_minor bigint,
    currency text,
    minutes double precision not null,
    value_per_minute double precision not null,
    last_count_at timestamp with time zone,
    book bigint,
    reasons jsonb not null,
    control boolean not null,
    propensity double precision not null,
    vector bytea not null,
    constraint queue_row_ranking_id_rank_key UNIQUE (ranking_id, rank),
    constraint queue_row_pkey PRIMARY KEY (recommendation_id),
    constraint queue_row_ranking_id_fkey FOREIGN KEY (ranking_id) REFERENCES ranking(id),
    constraint queue_row_recommendation_id_fkey FOREIGN KEY (recommendation_id) REFERENCES recommendation(id) ON DELETE CASCADE,
    constraint queue_row_location_check CHECK ((location <> ''::text)),
    constraint queue_row_minutes_check CHECK (((minutes > (0)::double precision) AND (minutes < 'Infinity'::double precision))),
    constraint queue_row_money CHECK ((((expected_loss_minor IS NULL) = (currency IS NULL)) AND (currency ~ '^[A-Z]{3}$'::text))),
    constraint queue_row_probability_check CHECK (((probability >= (0)::double precision) AND (probability <= (1)::double precision))),
    constraint queue_row_propensity_check CHECK (((propensity > (0)::double precision) AND (propensity <= (1)::double precision))),
    constraint queue_row_rank_check CHECK ((rank > 0)),
    constraint queue_row_reasons_check CHECK ((jsonb_typeof(reasons) = 'array'::text)),
    constraint queue_row_size_check CHECK (((size >= (0)::double precision) AND (size < 'Infinity'::double precision))),
    constraint queue_row_sku_check CHECK ((sku <> ''::text)),
    constraint queue_row_value_per_minute_check CHECK (((value_per_minute >= (0)::double precision) AND (value_per_minute < 'Infinity'::double precision))),
    constraint queue_row_vector_check CHECK (((octet_length(vector) % 4) = 0)),
);
comment on column queue_row.size is 'expected units of variance, if there is one';
comment on column queue_row.value_per_minute is 'expected loss, in major units, found per minute of counting';
comment on column queue_row.propensity is 'probability with which the row came to be in the queue';
comment on column queue_row.vector is 'float32, little endian, as it was scored';

create table ranking (
    id bigint not null generated always as identity,
    site text collate "C" not null,
    as_of timestamp with time zone not null,
    watermark bigint not null,
    model_id bigint,
    current boolean not null default true,
    created_at timestamp with time zone not null default now(),
    constraint ranking_pkey PRIMARY KEY (id),
    constraint ranking_model_id_fkey FOREIGN KEY (model_id) REFERENCES model(id),
    constraint ranking_site_fkey FOREIGN KEY (site) REFERENCES site(code),
    constraint ranking_watermark_check CHECK ((watermark >= 0)),
);
CREATE UNIQUE INDEX ranking_current ON public.ranking USING btree (site) WHERE current;

create table recommendation (
    id text collate "C" not null,
    action text not null,
    site text collate "C" not null,
    subject text[] collate "C" not null,
    ranking_id bigint,
    evaluation_id text collate "C",
    created_at timestamp with time zone not null default now(),
    constraint recommendation_pkey PRIMARY KEY (id),
    constraint recommendation_evaluation_id_fkey FOREIGN KEY (evaluation_id) REFERENCES evaluation(id),
    constraint recommendation_ranking_id_fkey FOREIGN KEY (ranking_id) REFERENCES ranking(id),
    constraint recommendation_action CHECK ((action = ANY (ARRAY['count_position'::text, 'verify_load'::text]))),
    constraint recommendation_id_check CHECK ((id ~ '^rec_[0-9a-z]{26}$'::text)),
    constraint recommendation_site_check CHECK ((site <> ''::text)),
    constraint recommendation_source CHECK (
CASE action
    WHEN 'count_position'::text THEN ((ranking_id IS NOT NULL) AND (evaluation_id IS NULL))
    ELSE ((evaluation_id IS NOT NULL) AND (ranking_id IS NULL))
END),
    constraint recommendation_subject CHECK (((cardinality(subject) =
CASE action
    WHEN 'count_position'::text THEN 2
    ELSE 1
END) AND (array_position(subject, NULL::text) IS NULL) AND (array_position(subject, ''::text) IS NULL))),
);
CREATE INDEX recommendation_evaluation_idx ON public.recommendation USING btree (evaluation_id);
CREATE INDEX recommendation_ranking_idx ON public.recommendation USING btree (ranking_id);
comment on column recommendation.subject is 'count_position: location, SKU; verify_load: load';

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

create table step (
    id text collate "C" not null,
    recommendation_id text collate "C" not null,
    action text not null,
    site text collate "C" not null,
    subject text[] collate "C" not null,
    state text not null default 'proposed'::text,
    version integer not null default 1,
    created_at timestamp with time zone not null default now(),
    changed_at timestamp with time zone not null default now(),
    constraint step_recommendation_id_key UNIQUE (recommendation_id),
    constraint step_pkey PRIMARY KEY (id),
    constraint step_recommendation_id_fkey FOREIGN KEY (recommendation_id) REFERENCES recommendation(id) ON DELETE CASCADE,
    constraint step_id_check CHECK ((id ~ '^st_[0-9a-z]{26}$'::text)),
    constraint step_state CHECK ((state = ANY (ARRAY['proposed'::text, 'open'::text, 'claimed'::text, 'changes_requested'::text, 'approved'::text, 'rejected'::text, 'withdrawn'::text, 'expired'::text, 'superseded'::text]))),
    constraint step_version_check CHECK ((version > 0)),
);
CREATE UNIQUE INDEX step_live ON public.step USING btree (action, site, subject) WHERE (state = ANY (ARRAY['proposed'::text, 'open'::text, 'claimed'::text, 'changes_requested'::text]));

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

