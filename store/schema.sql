-- The schema after all migrations, for reading: go test ./store -run TestSchemaFile -update

create table account (
    id bigint not null generated always as identity,
    person_id bigint not null,
    issuer text collate "C" not null,
    subject text collate "C" not null,
    password_hash text,
    failures integer not null default 0,
    locked_until timestamp with time zone,
    created_at timestamp with time zone not null default now(),
    disabled_at timestamp with time zone,
    constraint account_issuer_subject_key UNIQUE (issuer, subject),
    constraint account_pkey PRIMARY KEY (id),
    constraint account_person_id_fkey FOREIGN KEY (person_id) REFERENCES person(id),
    constraint account_failures_check CHECK ((failures >= 0)),
    constraint account_issuer_check CHECK ((issuer <> ''::text)),
    constraint account_password CHECK (((issuer = 'local'::text) = (password_hash IS NOT NULL))),
    constraint account_subject_check CHECK ((subject <> ''::text)),
);
CREATE INDEX account_person_idx ON public.account USING btree (person_id);
comment on column account.issuer is '"local", or the URL of an OpenID Connect provider';
comment on column account.password_hash is 'argon2id in PHC form';

create table answered_request (
    actor text collate "C" not null,
    key text collate "C" not null,
    fingerprint bytea not null,
    status integer not null,
    answer bytea not null,
    created_at timestamp with time zone not null default now(),
    constraint answered_request_pkey PRIMARY KEY (actor, key),
    constraint answered_request_actor_check CHECK ((actor <> ''::text)),
    constraint answered_request_fingerprint_check CHECK ((octet_length(fingerprint) = 32)),
    constraint answered_request_key_check CHECK (((octet_length(key) >= 1) AND (octet_length(key) <= 255))),
);

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
    sources text[] collate "C" not null default '{}'::text[],
    constraint api_key_pkey PRIMARY KEY (id),
    constraint api_key_env_check CHECK ((env ~ '^[a-z]{1,8}$'::text)),
    constraint api_key_expiry CHECK (((expires_at > created_at) AND (expires_at <= (created_at + '366 days'::interval)))),
    constraint api_key_id_check CHECK ((id ~ '^[0-9A-Za-z]{8}$'::text)),
    constraint api_key_name_check CHECK ((name <> ''::text)),
    constraint api_key_scopes CHECK (((cardinality(scopes) > 0) AND (scopes <@ ARRAY['events:write'::text, 'risk:write'::text, 'risk:read'::text, 'queue:read'::text, 'tickets:write'::text, 'tickets:read'::text, 'steps:read'::text]))),
    constraint api_key_secret_hash_check CHECK ((octet_length(secret_hash) = 32)),
    constraint api_key_sites CHECK (((array_position(sites, NULL::text) IS NULL) AND (array_position(sites, ''::text) IS NULL))),
    constraint api_key_sources CHECK (((array_position(sources, NULL::text) IS NULL) AND (array_position(sources, ''::text) IS NULL))),
);
comment on column api_key.sites is 'empty for every site';
comment on column api_key.sources is 'empty for every source';

create table audit_checkpoint (
    size bigint not null,
    root bytea not null,
    note bytea not null,
    created_at timestamp with time zone not null default clock_timestamp(),
    anchored jsonb not null default '{}'::jsonb,
    constraint audit_checkpoint_pkey PRIMARY KEY (size),
    constraint audit_checkpoint_root_check CHECK ((octet_length(root) = 32)),
    constraint audit_checkpoint_size_check CHECK ((size > 0)),
);

create table audit_entry (
    stream text collate "C" not null,
    seq integer not null,
    prev bytea not null,
    body bytea not null,
    leaf bytea not null default sha256(('\x00'::bytea || body)),
    at timestamp with time zone not null,
    constraint audit_entry_pkey PRIMARY KEY (stream, seq),
);
comment on column audit_entry.stream is 'a step''s id, or what else has a history: "policy", "person", "target", "switch"';
comment on column audit_entry.prev is 'leaf of the entry before in this stream; zeros for the first';
comment on column audit_entry.body is 'canonical JSON, prev included';
comment on column audit_entry.leaf is 'RFC 6962 leaf hash';
CREATE TRIGGER audit_entry_change BEFORE DELETE OR UPDATE ON public.audit_entry FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_entry_check BEFORE INSERT ON public.audit_entry FOR EACH ROW EXECUTE FUNCTION check_audit_entry();
alter table audit_entry enable row level security;
create policy program on audit_entry for all to tallyman_app using (true) with check (true);
create policy site on audit_entry for select to tallyman_viewer using ((EXISTS ( SELECT
   FROM step s
  WHERE (s.id = split_part(audit_entry.stream, '/'::text, 1)))));

create table audit_leaf (
    n bigint not null,
    stream text collate "C" not null,
    seq integer not null,
    hashes bytea not null,
    constraint audit_leaf_stream_seq_key UNIQUE (stream, seq),
    constraint audit_leaf_pkey PRIMARY KEY (n),
    constraint audit_leaf_stream_seq_fkey FOREIGN KEY (stream, seq) REFERENCES audit_entry(stream, seq),
    constraint audit_leaf_hashes_check CHECK ((octet_length(hashes) = (32 * bit_count(((n # (n + 1)))::bit(64))))),
    constraint audit_leaf_n_check CHECK ((n >= 0)),
);
comment on column audit_leaf.hashes is 'stored hashes of the tree from tlog.StoredHashCount(n) on that are complete with this entry';
CREATE TRIGGER audit_leaf_change BEFORE DELETE OR UPDATE ON public.audit_leaf FOR EACH ROW EXECUTE FUNCTION refuse_change();

create table audit_unsequenced (
    id bigint not null generated always as identity,
    stream text collate "C" not null,
    seq integer not null,
    constraint audit_unsequenced_pkey PRIMARY KEY (id),
);

create table decision (
    id bigint not null generated always as identity,
    step_id text collate "C" not null,
    person_id bigint not null,
    on_behalf_of bigint,
    verdict text not null,
    slot text collate "C",
    binding bytea not null,
    roles text[] not null,
    strength text not null,
    session text not null,
    reason text not null,
    incident text,
    decided_at timestamp with time zone not null default clock_timestamp(),
    as_role text collate "C",
    value_minor bigint not null,
    constraint decision_pkey PRIMARY KEY (id),
    constraint decision_on_behalf_of_fkey FOREIGN KEY (on_behalf_of) REFERENCES person(id),
    constraint decision_person_id_fkey FOREIGN KEY (person_id) REFERENCES person(id),
);
CREATE INDEX decision_authority_idx ON public.decision USING btree (COALESCE(on_behalf_of, person_id), decided_at);
CREATE INDEX decision_step_idx ON public.decision USING btree (step_id);
comment on column decision.as_role is 'that stood in for the slot''s; null for that itself';
comment on column decision.value_minor is 'of the step';
CREATE TRIGGER decision_change BEFORE DELETE OR UPDATE ON public.decision FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER decision_check BEFORE INSERT ON public.decision FOR EACH ROW EXECUTE FUNCTION check_decision();
CREATE TRIGGER decision_humans AFTER INSERT ON public.decision FOR EACH ROW EXECUTE FUNCTION note_decision_humans();
alter table decision enable row level security;
create policy program on decision for all to tallyman_app using (true) with check (true);
create policy site on decision for select to tallyman_viewer using ((EXISTS ( SELECT
   FROM step s
  WHERE (s.id = decision.step_id))));

create table decision_human (
    step_id text collate "C" not null,
    binding bytea not null,
    person_id bigint not null,
    decision_id bigint not null,
    constraint decision_human_pkey PRIMARY KEY (step_id, binding, person_id),
    constraint decision_human_decision_id_fkey FOREIGN KEY (decision_id) REFERENCES decision(id),
);
CREATE TRIGGER decision_human_change BEFORE DELETE OR UPDATE ON public.decision_human FOR EACH ROW EXECUTE FUNCTION refuse_change();
alter table decision_human enable row level security;
create policy program on decision_human for all to tallyman_app using (true) with check (true);
create policy site on decision_human for select to tallyman_viewer using ((EXISTS ( SELECT
   FROM step s
  WHERE (s.id = decision_human.step_id))));

create table delegation (
    id bigint not null generated always as identity,
    from_id bigint not null,
    to_id bigint not null,
    kinds text[] not null,
    sites text[] collate "C" not null,
    limit_minor bigint,
    begins_at timestamp with time zone not null,
    ends_at timestamp with time zone not null,
    created_at timestamp with time zone not null default now(),
    revoked_at timestamp with time zone,
    constraint delegation_pkey PRIMARY KEY (id),
    constraint delegation_from_id_fkey FOREIGN KEY (from_id) REFERENCES person(id),
    constraint delegation_to_id_fkey FOREIGN KEY (to_id) REFERENCES person(id),
    constraint delegation_kinds CHECK (((cardinality(kinds) > 0) AND (array_position(kinds, NULL::text) IS NULL) AND (NOT ('change_policy'::text = ANY (kinds))))),
    constraint delegation_limit_minor_check CHECK ((limit_minor >= 0)),
    constraint delegation_people CHECK ((from_id <> to_id)),
    constraint delegation_sites CHECK (((cardinality(sites) > 0) AND (array_position(sites, NULL::text) IS NULL))),
    constraint delegation_time CHECK (((ends_at > begins_at) AND (ends_at <= (begins_at + '720:00:00'::interval)))),
);
CREATE INDEX delegation_to_idx ON public.delegation USING btree (to_id, ends_at) WHERE (revoked_at IS NULL);
comment on column delegation.limit_minor is 'null for as much as the delegator may';

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
CREATE INDEX event_count_idx ON ONLY public.event USING btree (site, sku, occurred_at) WHERE (type = 'count'::text);
CREATE INDEX event_load_idx ON ONLY public.event USING btree (site, load, line) WHERE (type = ANY (ARRAY['asn'::text, 'receipt'::text]));
CREATE INDEX event_recorded_idx ON ONLY public.event USING brin (recorded_at) WITH (pages_per_range='16', autosummarize='on');
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

create table execution (
    id bigint not null generated always as identity,
    step_id text collate "C" not null,
    operation integer not null,
    compensation boolean not null default false,
    idempotency_key text collate "C" not null,
    target text collate "C" not null,
    lane text collate "C" not null,
    body bytea not null,
    state text not null default 'queued'::text,
    attempt integer not null default 0,
    claim_epoch integer not null default 0,
    next_attempt_at timestamp with time zone not null default clock_timestamp(),
    answer_status integer,
    answer bytea,
    error text,
    created_at timestamp with time zone not null default clock_timestamp(),
    changed_at timestamp with time zone not null default clock_timestamp(),
    constraint execution_idempotency_key_key UNIQUE (idempotency_key),
    constraint execution_step_id_operation_compensation_key UNIQUE (step_id, operation, compensation),
    constraint execution_pkey PRIMARY KEY (id),
);
CREATE INDEX execution_by_hand_idx ON public.execution USING btree (step_id) WHERE ((state = 'sending'::text) AND (target = 'manual'::text));
CREATE INDEX execution_due_idx ON public.execution USING btree (next_attempt_at) WHERE (state = ANY (ARRAY['queued'::text, 'sending'::text, 'unknown'::text]));
CREATE INDEX execution_lane_idx ON public.execution USING btree (lane, id) WHERE (state = ANY (ARRAY['queued'::text, 'sending'::text, 'unknown'::text]));
comment on column execution.lane is 'site and SKU, or site and document: one after the other, by id';
comment on column execution.claim_epoch is 'grows with every claim; only the newest claimant can settle';
CREATE TRIGGER execution_change BEFORE INSERT OR DELETE OR UPDATE ON public.execution FOR EACH ROW EXECUTE FUNCTION check_execution_change();
CREATE CONSTRAINT TRIGGER execution_quorum AFTER INSERT ON public.execution DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_quorum();
alter table execution enable row level security;
create policy program on execution for all to tallyman_app using (true) with check (true);
create policy site on execution for select to tallyman_viewer using ((EXISTS ( SELECT
   FROM step s
  WHERE (s.id = execution.step_id))));

create table execution_attempt (
    execution_id bigint not null,
    claim_epoch integer not null,
    sent_at timestamp with time zone not null,
    answered_at timestamp with time zone not null default clock_timestamp(),
    outcome text not null,
    answer_status integer,
    detail text not null,
    constraint execution_attempt_pkey PRIMARY KEY (execution_id, claim_epoch),
    constraint execution_attempt_execution_id_fkey FOREIGN KEY (execution_id) REFERENCES execution(id),
    constraint execution_attempt_outcome_check CHECK ((outcome = ANY (ARRAY['applied'::text, 'retry'::text, 'unknown'::text, 'refused'::text]))),
);
CREATE TRIGGER execution_attempt_change BEFORE DELETE OR UPDATE ON public.execution_attempt FOR EACH ROW EXECUTE FUNCTION refuse_change();

create table freeze_window (
    id bigint not null generated always as identity,
    kind text,
    site text collate "C",
    begins_at timestamp with time zone not null,
    ends_at timestamp with time zone not null,
    reason text not null,
    set_by bigint,
    set_at timestamp with time zone not null default clock_timestamp(),
    lifted_at timestamp with time zone,
    constraint freeze_window_pkey PRIMARY KEY (id),
    constraint freeze_window_set_by_fkey FOREIGN KEY (set_by) REFERENCES person(id),
    constraint freeze_window_reason_check CHECK ((reason <> ''::text)),
    constraint freeze_window_time CHECK ((ends_at > begins_at)),
);

create table glass_review (
    step_id text collate "C" not null,
    person_id bigint not null,
    justified boolean not null,
    note text not null,
    reviewed_at timestamp with time zone not null default clock_timestamp(),
    constraint glass_review_pkey PRIMARY KEY (step_id, person_id),
    constraint glass_review_person_id_fkey FOREIGN KEY (person_id) REFERENCES person(id),
    constraint glass_review_step_id_fkey FOREIGN KEY (step_id) REFERENCES step(id),
    constraint glass_review_note_check CHECK ((note <> ''::text)),
);
CREATE TRIGGER glass_review_change BEFORE DELETE OR UPDATE ON public.glass_review FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER glass_review_check BEFORE INSERT ON public.glass_review FOR EACH ROW EXECUTE FUNCTION check_glass_review();
alter table glass_review enable row level security;
create policy program on glass_review for all to tallyman_app using (true) with check (true);
create policy site on glass_review for select to tallyman_viewer using ((EXISTS ( SELECT
   FROM step s
  WHERE (s.id = glass_review.step_id))));

create table kill_switch (
    id bigint not null generated always as identity,
    kind text,
    site text collate "C",
    model_id bigint,
    target text collate "C",
    reason text not null,
    thrown_by bigint,
    thrown_at timestamp with time zone not null default clock_timestamp(),
    lifted_by bigint,
    lifted_at timestamp with time zone,
    constraint kill_switch_pkey PRIMARY KEY (id),
    constraint kill_switch_lifted_by_fkey FOREIGN KEY (lifted_by) REFERENCES person(id),
    constraint kill_switch_model_id_fkey FOREIGN KEY (model_id) REFERENCES model(id),
    constraint kill_switch_thrown_by_fkey FOREIGN KEY (thrown_by) REFERENCES person(id),
    constraint kill_switch_reason_check CHECK ((reason <> ''::text)),
);
comment on table kill_switch is 'a null in kind, site, model_id or target matches all';

create table known_code (
    site text collate "C" not null,
    kind text not null,
    code text collate "C" not null,
    constraint known_code_pkey PRIMARY KEY (site, kind, code),
    constraint known_code_code_check CHECK ((code <> ''::text)),
    constraint known_code_kind_check CHECK ((kind = ANY (ARRAY['po'::text, 'asn'::text, 'sku'::text, 'lot'::text]))),
);

create table known_code_head (
    only_one boolean not null default true,
    seq bigint not null,
    constraint known_code_head_pkey PRIMARY KEY (only_one),
    constraint known_code_head_only_one_check CHECK (only_one),
    constraint known_code_head_seq_check CHECK ((seq >= 0)),
);

create table llm_day (
    site text collate "C" not null,
    day date not null,
    requests bigint not null default 0,
    tokens bigint not null default 0,
    nanos bigint not null default 0,
    constraint llm_day_pkey PRIMARY KEY (site, day),
    constraint llm_day_nanos_check CHECK ((nanos >= 0)),
    constraint llm_day_requests_check CHECK ((requests >= 0)),
    constraint llm_day_tokens_check CHECK ((tokens >= 0)),
);
comment on table llm_day is 'site "" is the program''s own, which probes servers';
comment on column llm_day.nanos is 'money, in billionths of the currency unit of the price';

create table llm_request (
    id bigint not null generated always as identity,
    site text collate "C" not null,
    day date not null,
    most_tokens bigint not null,
    most_nanos bigint not null,
    tokens bigint,
    nanos bigint,
    reserved_at timestamp with time zone not null default clock_timestamp(),
    settled_at timestamp with time zone,
    constraint llm_request_pkey PRIMARY KEY (id),
    constraint llm_request_site_day_fkey FOREIGN KEY (site, day) REFERENCES llm_day(site, day),
    constraint llm_request_most_nanos_check CHECK ((most_nanos >= 0)),
    constraint llm_request_most_tokens_check CHECK ((most_tokens >= 0)),
    constraint llm_request_nanos_check CHECK ((nanos >= 0)),
    constraint llm_request_settled CHECK ((((settled_at IS NULL) = (tokens IS NULL)) AND ((settled_at IS NULL) = (nanos IS NULL)))),
    constraint llm_request_tokens_check CHECK ((tokens >= 0)),
);
CREATE INDEX llm_request_day_idx ON public.llm_request USING btree (site, day);
comment on column llm_request.tokens is 'that it did use; null while nobody knows, and most_tokens counts';
CREATE TRIGGER llm_request_change BEFORE UPDATE ON public.llm_request FOR EACH ROW EXECUTE FUNCTION check_llm_request();
CREATE TRIGGER llm_request_delete BEFORE DELETE ON public.llm_request FOR EACH ROW EXECUTE FUNCTION refuse_change();

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
    authority text collate "C",
    constraint model_pkey PRIMARY KEY (id),
    constraint model_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES model(id),
    constraint model_artifact_check CHECK ((octet_length(artifact) > 0)),
    constraint model_authority CHECK (((promoted_at IS NULL) = (authority IS NULL))),
    constraint model_authority_check CHECK ((authority <> ''::text)),
    constraint model_metrics_check CHECK ((jsonb_typeof(metrics) = 'object'::text)),
    constraint model_params_check CHECK ((jsonb_typeof(params) = 'object'::text)),
    constraint model_promoted CHECK (((state = 'candidate'::text) = (promoted_at IS NULL))),
    constraint model_schema_hash_check CHECK ((schema_hash <> ''::text)),
    constraint model_state CHECK ((state = ANY (ARRAY['candidate'::text, 'champion'::text, 'retired'::text]))),
    constraint model_target CHECK (((((((subject = 'position'::text) AND (outcome = 'variance'::text)) OR ((subject = 'position'::text) AND (outcome = 'size'::text))) OR ((subject = 'load'::text) AND (outcome = 'discrepancy'::text))) OR ((subject = 'load'::text) AND (outcome = 'late'::text))) OR ((subject = 'ticket'::text) AND (outcome ~ '^label(/[a-z0-9._-]+)?$'::text)))),
    constraint model_window CHECK ((data_from <= data_until)),
);
CREATE UNIQUE INDEX model_champion ON public.model USING btree (subject, outcome) WHERE (state = 'champion'::text);
comment on column model.authority is 'by which it was last put in force: a step, "operator" for the first of its outcome, "before" where that was not kept';
CREATE TRIGGER model_change BEFORE INSERT OR UPDATE ON public.model FOR EACH ROW EXECUTE FUNCTION check_model_change();

create table operation (
    recommendation_id text collate "C" not null,
    n integer not null,
    target text collate "C" not null,
    body bytea not null,
    compensate bytea,
    irreversible text,
    constraint operation_pkey PRIMARY KEY (recommendation_id, n),
    constraint operation_recommendation_id_fkey FOREIGN KEY (recommendation_id) REFERENCES recommendation(id) ON DELETE CASCADE,
    constraint operation_body_check CHECK ((octet_length(body) > 0)),
    constraint operation_compensate_check CHECK ((octet_length(compensate) > 0)),
    constraint operation_inverse CHECK (((compensate IS NULL) <> (irreversible IS NULL))) NOT VALID,
    constraint operation_irreversible_check CHECK ((irreversible <> ''::text)),
    constraint operation_n_check CHECK ((n >= 0)),
    constraint operation_target_check CHECK ((target <> ''::text)),
);
comment on column operation.compensate is 'what undoes it when a later operation fails for good';
comment on column operation.irreversible is 'why nothing undoes it';
CREATE TRIGGER operation_change BEFORE INSERT OR UPDATE ON public.operation FOR EACH ROW EXECUTE FUNCTION check_operation_change();
alter table operation enable row level security;
create policy program on operation for all to tallyman_app using (true) with check (true);
create policy site on operation for select to tallyman_viewer using ((EXISTS ( SELECT
   FROM recommendation r
  WHERE (r.id = operation.recommendation_id))));

create table person (
    id bigint not null generated always as identity,
    name text not null,
    email text collate "C",
    refs_known boolean not null default false,
    created_at timestamp with time zone not null default now(),
    deactivated_at timestamp with time zone,
    constraint person_email_key UNIQUE (email),
    constraint person_pkey PRIMARY KEY (id),
    constraint person_email_check CHECK (((email = lower(email)) AND (email <> ''::text))),
    constraint person_name_check CHECK ((name <> ''::text)),
);
comment on column person.refs_known is 'somebody vouched that person_ref names all of this person''s users in other systems';

create table person_ref (
    ref text collate "C" not null,
    person_id bigint not null,
    constraint person_ref_pkey PRIMARY KEY (ref),
    constraint person_ref_person_id_fkey FOREIGN KEY (person_id) REFERENCES person(id),
    constraint person_ref_ref_check CHECK ((ref <> ''::text)),
);
CREATE INDEX person_ref_person_idx ON public.person_ref USING btree (person_id);

create table policy (
    version text collate "C" not null,
    name text not null,
    source bytea not null,
    author_id bigint,
    state text not null default 'draft'::text,
    effective_from timestamp with time zone,
    created_at timestamp with time zone not null default now(),
    constraint policy_pkey PRIMARY KEY (version),
    constraint policy_author_id_fkey FOREIGN KEY (author_id) REFERENCES person(id),
    constraint policy_effective CHECK (((state = 'draft'::text) = (effective_from IS NULL))),
    constraint policy_name_check CHECK ((name <> ''::text)),
    constraint policy_source_check CHECK ((octet_length(source) > 0)),
    constraint policy_state CHECK ((state = ANY (ARRAY['draft'::text, 'scheduled'::text, 'active'::text, 'retired'::text]))),
    constraint policy_version CHECK ((version = encode(sha256(source), 'hex'::text))),
);
CREATE UNIQUE INDEX policy_active ON public.policy USING btree ((true)) WHERE (state = 'active'::text);
comment on column policy.author_id is 'null for the one that comes with the program';
CREATE TRIGGER policy_change BEFORE INSERT OR UPDATE ON public.policy FOR EACH ROW EXECUTE FUNCTION check_policy_change();

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
    payload bytea not null,
    evidence bytea not null,
    facts jsonb not null,
    parties jsonb not null,
    model_id bigint,
    artifact_hash bytea,
    scored_at timestamp with time zone,
    constraint recommendation_pkey PRIMARY KEY (id),
    constraint recommendation_evaluation_id_fkey FOREIGN KEY (evaluation_id) REFERENCES evaluation(id),
    constraint recommendation_model_id_fkey FOREIGN KEY (model_id) REFERENCES model(id),
    constraint recommendation_ranking_id_fkey FOREIGN KEY (ranking_id) REFERENCES ranking(id),
    constraint recommendation_action CHECK ((action = ANY (ARRAY['count_position'::text, 'verify_load'::text, 'hold_receipt'::text, 'release_receipt'::text, 'inventory_adjustment'::text, 'supplier_chargeback'::text, 'shipment_substitution'::text, 'order_short_shipment'::text, 'invoice_pause'::text, 'route_ticket'::text, 'promote_model'::text, 'change_policy'::text]))),
    constraint recommendation_artifact_hash_check CHECK ((octet_length(artifact_hash) = 32)),
    constraint recommendation_facts_check CHECK ((jsonb_typeof(facts) = 'object'::text)),
    constraint recommendation_id_check CHECK ((id ~ '^rec_[0-9a-z]{26}$'::text)),
    constraint recommendation_parties_check CHECK (((jsonb_typeof(parties) = 'array'::text) AND (jsonb_array_length(parties) > 0))),
    constraint recommendation_payload_check CHECK ((octet_length(payload) > 0)),
    constraint recommendation_site_check CHECK ((site <> ''::text)),
    constraint recommendation_source CHECK (((ranking_id IS NULL) OR (evaluation_id IS NULL))),
    constraint recommendation_subject CHECK ((((cardinality(subject) >= 1) AND (cardinality(subject) <= 3)) AND (array_position(subject, NULL::text) IS NULL) AND (array_position(subject, ''::text) IS NULL))),
);
CREATE INDEX recommendation_evaluation_idx ON public.recommendation USING btree (evaluation_id);
CREATE INDEX recommendation_ranking_idx ON public.recommendation USING btree (ranking_id);
comment on column recommendation.subject is 'what the action is about, such as location and SKU';
comment on column recommendation.payload is 'canonical JSON: exactly what is approved';
comment on column recommendation.facts is 'what policy looked at';
comment on column recommendation.parties is 'who proposed, counted, received and so on: [{"part", "person", "ref"}]';
CREATE TRIGGER recommendation_change BEFORE UPDATE ON public.recommendation FOR EACH ROW EXECUTE FUNCTION refuse_change();
alter table recommendation enable row level security;
create policy program on recommendation for all to tallyman_app using (true) with check (true);
create policy site on recommendation for select to tallyman_viewer using (((site = ANY (( SELECT viewer_sites() AS viewer_sites)::text[])) OR ('*'::text = ANY (( SELECT viewer_sites() AS viewer_sites)::text[]))));

create table role_grant (
    id bigint not null generated always as identity,
    person_id bigint not null,
    role text collate "C" not null,
    site text collate "C" not null,
    limit_minor bigint,
    daily_minor bigint,
    unlimited boolean not null default false,
    origin text not null,
    granted_by bigint,
    granted_at timestamp with time zone not null default now(),
    revoked_at timestamp with time zone,
    constraint role_grant_pkey PRIMARY KEY (id),
    constraint role_grant_granted_by_fkey FOREIGN KEY (granted_by) REFERENCES person(id),
    constraint role_grant_person_id_fkey FOREIGN KEY (person_id) REFERENCES person(id),
    constraint role_grant_daily_minor_check CHECK ((daily_minor >= 0)),
    constraint role_grant_limit CHECK ((unlimited OR ((limit_minor IS NOT NULL) AND (daily_minor IS NOT NULL)))),
    constraint role_grant_limit_minor_check CHECK ((limit_minor >= 0)),
    constraint role_grant_not_own CHECK ((granted_by <> person_id)),
    constraint role_grant_origin CHECK (((origin = ANY (ARRAY['person'::text, 'command'::text, 'oidc'::text])) AND ((origin = 'person'::text) = (granted_by IS NOT NULL)))),
    constraint role_grant_role_check CHECK ((role ~ '^[a-z][a-z0-9_]{0,39}$'::text)),
    constraint role_grant_site_check CHECK ((site <> ''::text)),
);
CREATE UNIQUE INDEX role_grant_current ON public.role_grant USING btree (person_id, role, site) WHERE (revoked_at IS NULL);
comment on column role_grant.site is '"*" for every site';
comment on column role_grant.unlimited is 'must be said: an amount that is left blank is no amount';

create table schema_migration (
    version integer not null,
    name text not null,
    checksum bytea not null,
    applied_at timestamp with time zone not null default now(),
    constraint schema_migration_pkey PRIMARY KEY (version),
    constraint schema_migration_checksum_check CHECK ((octet_length(checksum) = 32)),
);

create table session (
    token_hash bytea not null,
    account_id bigint not null,
    person_id bigint not null,
    authenticated_at timestamp with time zone not null default clock_timestamp(),
    seen_at timestamp with time zone not null default clock_timestamp(),
    expires_at timestamp with time zone not null,
    constraint session_pkey PRIMARY KEY (token_hash),
    constraint session_account_id_fkey FOREIGN KEY (account_id) REFERENCES account(id),
    constraint session_person_id_fkey FOREIGN KEY (person_id) REFERENCES person(id),
    constraint session_life CHECK ((expires_at <= (authenticated_at + '12:00:00'::interval))),
    constraint session_token_hash_check CHECK ((octet_length(token_hash) = 32)),
);
CREATE INDEX session_person_idx ON public.session USING btree (person_id);

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
    state text not null,
    version integer not null default 1,
    created_at timestamp with time zone not null default now(),
    changed_at timestamp with time zone not null default now(),
    payload_hash bytea not null,
    evidence_hash bytea not null,
    plan_hash bytea not null,
    policy text collate "C" not null,
    requirement jsonb not null,
    matched jsonb not null default '[]'::jsonb,
    binding bytea not null,
    lane text collate "C" not null,
    stake_minor bigint not null,
    value_minor bigint not null,
    currency text,
    expires_at timestamp with time zone not null,
    approved_at timestamp with time zone,
    assignee_id bigint,
    touched_at timestamp with time zone,
    escalation integer not null default 0,
    break_glass boolean not null default false,
    superseded_by text collate "C",
    reason text not null default ''::text,
    audited integer not null default 0,
    waits_since timestamp with time zone not null,
    constraint step_recommendation_id_key UNIQUE (recommendation_id),
    constraint step_pkey PRIMARY KEY (id),
    constraint step_assignee_id_fkey FOREIGN KEY (assignee_id) REFERENCES person(id),
    constraint step_policy_fkey FOREIGN KEY (policy) REFERENCES policy(version),
    constraint step_recommendation_id_fkey FOREIGN KEY (recommendation_id) REFERENCES recommendation(id) ON DELETE CASCADE,
);
CREATE INDEX step_counted_idx ON public.step USING btree (site, changed_at) WHERE ((action = 'count_position'::text) AND (state = ANY (ARRAY['succeeded'::text, 'rejected'::text, 'withdrawn'::text])));
CREATE INDEX step_done_idx ON public.step USING btree (expires_at, id) WHERE (state <> ALL (ARRAY['blocked'::text, 'pending'::text, 'changes_requested'::text, 'approved'::text, 'executing'::text, 'unknown'::text, 'failed'::text, 'compensating'::text, 'compensation_failed'::text]));
CREATE INDEX step_due_idx ON public.step USING btree (expires_at) WHERE (state = ANY (ARRAY['blocked'::text, 'pending'::text, 'changes_requested'::text]));
CREATE INDEX step_glass_idx ON public.step USING btree (site, approved_at) WHERE break_glass;
CREATE INDEX step_lane_idx ON public.step USING btree (lane, action, created_at);
CREATE UNIQUE INDEX step_live ON public.step USING btree (action, site, subject) WHERE (state = ANY (ARRAY['blocked'::text, 'pending'::text, 'changes_requested'::text, 'approved'::text, 'executing'::text, 'unknown'::text, 'failed'::text, 'compensating'::text, 'compensation_failed'::text]));
comment on column step.requirement is '{"slots": [{"role", "count"}], "stand_ins": [{"for", "role", "after_us"}], "auth", "excludes", "life_us", "deny"}';
comment on column step.binding is 'hash of all that an approver says yes to';
comment on column step.lane is 'the stock, order or document that it touches';
comment on column step.stake_minor is 'what is at stake in this step; 9223372036854775807 when unknown';
comment on column step.value_minor is 'what decides the band: with the other steps of the lane in 24 hours';
comment on column step.touched_at is 'since when people are at it; a newer ranking leaves it alone';
comment on column step.reason is 'why it is in this state, in words';
comment on column step.audited is 'entries of its own in the audit log';
comment on column step.waits_since is 'for what it requires now';
CREATE CONSTRAINT TRIGGER step_audited AFTER INSERT OR UPDATE ON public.step DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_step_audited();
CREATE TRIGGER step_change BEFORE INSERT OR UPDATE ON public.step FOR EACH ROW EXECUTE FUNCTION check_step_change();
CREATE TRIGGER step_delete BEFORE DELETE ON public.step FOR EACH ROW EXECUTE FUNCTION check_step_delete();
CREATE CONSTRAINT TRIGGER step_executions AFTER UPDATE ON public.step DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((new.state = 'approved'::text)) EXECUTE FUNCTION check_approved_step();
alter table step enable row level security;
create policy program on step for all to tallyman_app using (true) with check (true);
create policy site on step for select to tallyman_viewer using (((site = ANY (( SELECT viewer_sites() AS viewer_sites)::text[])) OR ('*'::text = ANY (( SELECT viewer_sites() AS viewer_sites)::text[]))));

create table step_view (
    step_id text collate "C" not null,
    person_id bigint not null,
    binding bytea not null,
    viewed_at timestamp with time zone not null default clock_timestamp(),
    constraint step_view_pkey PRIMARY KEY (step_id, person_id, binding),
    constraint step_view_person_id_fkey FOREIGN KEY (person_id) REFERENCES person(id),
    constraint step_view_step_id_fkey FOREIGN KEY (step_id) REFERENCES step(id) ON DELETE CASCADE,
    constraint step_view_binding_check CHECK ((octet_length(binding) = 32)),
);

create table target (
    name text collate "C" not null,
    url text not null,
    query_url text,
    sites text[] collate "C" not null,
    kinds text[] not null,
    idempotent boolean not null default true,
    allow_private boolean not null default false,
    paused_at timestamp with time zone,
    created_at timestamp with time zone not null default now(),
    constraint target_pkey PRIMARY KEY (name),
    constraint target_kinds_check CHECK ((cardinality(kinds) > 0)),
    constraint target_name_check CHECK ((name ~ '^[a-z][a-z0-9-]{0,62}$'::text)),
    constraint target_query_url_check CHECK ((query_url ~ '^https?://'::text)),
    constraint target_reserved CHECK ((name <> ALL (ARRAY['tallyman'::text, 'manual'::text]))),
    constraint target_url_check CHECK ((url ~ '^https?://'::text)),
);
comment on column target.query_url is 'answers whether an idempotency key was applied; null when the target cannot say';
comment on column target.sites is '"*" for every site';
comment on column target.idempotent is 'an operation sent twice under one key is applied once';
comment on column target.allow_private is 'may resolve to a private address';

create table target_secret (
    id bigint not null generated always as identity,
    target text collate "C" not null,
    secret bytea not null,
    created_at timestamp with time zone not null default now(),
    expires_at timestamp with time zone,
    constraint target_secret_pkey PRIMARY KEY (id),
    constraint target_secret_target_fkey FOREIGN KEY (target) REFERENCES target(name),
    constraint target_secret_secret_check CHECK (((octet_length(secret) >= 24) AND (octet_length(secret) <= 64))),
);

create table taxonomy (
    hash bytea not null,
    name text not null,
    version integer not null,
    body jsonb not null,
    created_at timestamp with time zone not null default now(),
    constraint taxonomy_pkey PRIMARY KEY (hash),
    constraint taxonomy_body_check CHECK ((jsonb_typeof(body) = 'object'::text)),
    constraint taxonomy_hash_check CHECK ((octet_length(hash) = 32)),
    constraint taxonomy_name_check CHECK ((name <> ''::text)),
    constraint taxonomy_version_check CHECK ((version > 0)),
);
CREATE TRIGGER taxonomy_change BEFORE DELETE OR UPDATE ON public.taxonomy FOR EACH ROW EXECUTE FUNCTION refuse_change();

create table taxonomy_label (
    taxonomy bytea not null,
    id text collate "C" not null,
    constraint taxonomy_label_pkey PRIMARY KEY (taxonomy, id),
    constraint taxonomy_label_taxonomy_fkey FOREIGN KEY (taxonomy) REFERENCES taxonomy(hash),
    constraint taxonomy_label_id_check CHECK ((id <> ''::text)),
);
CREATE TRIGGER taxonomy_label_change BEFORE DELETE OR UPDATE ON public.taxonomy_label FOR EACH ROW EXECUTE FUNCTION refuse_change();

create table ticket (
    id text collate "C" not null,
    n bigint not null generated always as identity,
    site text collate "C" not null,
    body text not null,
    reporter text collate "C" not null default ''::text,
    load text collate "C" not null default ''::text,
    order_ref text collate "C" not null default ''::text,
    sku text collate "C" not null default ''::text,
    location text collate "C" not null default ''::text,
    lot text collate "C" not null default ''::text,
    supplier text collate "C" not null default ''::text,
    facts text[] not null,
    value_minor bigint not null,
    currency text,
    share double precision not null,
    floor smallint not null,
    floor_restricted boolean not null,
    label_seq integer not null default 1,
    status text not null default 'open'::text,
    merged_into text collate "C",
    resolution text,
    resolved_at timestamp with time zone,
    asking text not null,
    api_key text collate "C" not null,
    idempotency_key text collate "C" not null,
    fingerprint bytea not null,
    answer bytea not null,
    received_at timestamp with time zone not null,
    constraint ticket_idempotency UNIQUE (api_key, idempotency_key),
    constraint ticket_n_key UNIQUE (n),
    constraint ticket_site_id_key UNIQUE (site, id),
    constraint ticket_pkey PRIMARY KEY (id),
    constraint ticket_labelled FOREIGN KEY (id, label_seq) REFERENCES ticket_label(ticket_id, seq) DEFERRABLE INITIALLY DEFERRED,
    constraint ticket_site_fkey FOREIGN KEY (site) REFERENCES site(code),
    constraint ticket_site_merged_into_fkey FOREIGN KEY (site, merged_into) REFERENCES ticket(site, id),
    constraint ticket_answer_check CHECK ((octet_length(answer) > 0)),
    constraint ticket_asking CHECK ((asking = ANY (ARRAY['no'::text, 'waiting'::text, 'answered'::text, 'gave_up'::text]))),
    constraint ticket_body_check CHECK (((octet_length(body) >= 1) AND (octet_length(body) <= 32768))),
    constraint ticket_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    constraint ticket_fingerprint_check CHECK ((octet_length(fingerprint) = 32)),
    constraint ticket_floor_check CHECK (((floor >= 1) AND (floor <= 4))),
    constraint ticket_id_check CHECK ((id ~ '^tkt_[a-z2-7]{26}$'::text)),
    constraint ticket_idempotency_key_check CHECK ((idempotency_key <> ''::text)),
    constraint ticket_label_seq_check CHECK ((label_seq > 0)),
    constraint ticket_merged CHECK ((((status = 'merged'::text) = (merged_into IS NOT NULL)) AND (merged_into <> id))),
    constraint ticket_resolved CHECK ((((status = 'resolved'::text) = (resolution IS NOT NULL)) AND ((resolution IS NULL) = (resolved_at IS NULL)) AND (resolution <> ''::text))),
    constraint ticket_share_check CHECK (((share >= (0)::double precision) AND (share <= (100)::double precision))),
    constraint ticket_status CHECK ((status = ANY (ARRAY['open'::text, 'resolved'::text, 'merged'::text]))),
    constraint ticket_value CHECK (((value_minor = 0) OR (currency IS NOT NULL))),
    constraint ticket_value_minor_check CHECK ((value_minor >= 0)),
);
CREATE INDEX ticket_merged_idx ON public.ticket USING btree (merged_into) WHERE (merged_into IS NOT NULL);
CREATE INDEX ticket_repeat_idx ON public.ticket USING btree (site, supplier, received_at) WHERE (supplier <> ''::text);
CREATE INDEX ticket_site_idx ON public.ticket USING btree (site, status, n);
comment on column ticket.facts is 'what structured data says; nothing of it comes from the text';
comment on column ticket.floor is 'the least urgent severity that the words of the text allow, 1 to 4';
comment on column ticket.label_seq is 'of the label in force';
comment on column ticket.asking is 'whether a language model is asked';
comment on column ticket.answer is 'the exact bytes that the request was answered with';
CREATE TRIGGER ticket_change BEFORE UPDATE ON public.ticket FOR EACH ROW EXECUTE FUNCTION check_ticket_change();
CREATE TRIGGER ticket_delete BEFORE DELETE ON public.ticket FOR EACH ROW EXECUTE FUNCTION refuse_change();

create table ticket_ask (
    id bigint not null generated always as identity,
    ticket_id text collate "C" not null,
    sent text not null,
    shortlist text[] not null,
    examples text[] not null,
    replaced integer not null,
    asked_at timestamp with time zone not null default clock_timestamp(),
    settled_at timestamp with time zone,
    reason text,
    model text,
    fingerprint text,
    prompt_hash text,
    path text,
    evidence text,
    code_p double precision,
    score double precision,
    label text collate "C",
    tokens bigint,
    nanos bigint,
    constraint ticket_ask_pkey PRIMARY KEY (id),
    constraint ticket_ask_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES ticket(id),
    constraint ticket_ask_answer CHECK (((reason <> 'answered'::text) OR ((prompt_hash IS NOT NULL) AND (score IS NOT NULL)))),
    constraint ticket_ask_code_p_check CHECK (((code_p >= (0)::double precision) AND (code_p <= (1)::double precision))),
    constraint ticket_ask_nanos_check CHECK ((nanos >= 0)),
    constraint ticket_ask_replaced_check CHECK ((replaced >= 0)),
    constraint ticket_ask_score_check CHECK (((score >= (0)::double precision) AND (score <= (1)::double precision))),
    constraint ticket_ask_sent_check CHECK ((sent <> ''::text)),
    constraint ticket_ask_settled CHECK (((settled_at IS NULL) = (reason IS NULL))),
    constraint ticket_ask_shortlist_check CHECK (((cardinality(shortlist) >= 1) AND (cardinality(shortlist) <= 10))),
    constraint ticket_ask_tokens_check CHECK ((tokens >= 0)),
);
CREATE INDEX ticket_ask_ticket_idx ON public.ticket_ask USING btree (ticket_id, id);
comment on column ticket_ask.examples is 'tickets whose texts, redacted as this one, were sent along';
comment on column ticket_ask.replaced is 'personal data that became placeholders before anything left';
comment on column ticket_ask.reason is '"answered", or a stable word for what went wrong';
comment on column ticket_ask.score is 'before calibration on what people said';
comment on column ticket_ask.label is 'that the model chose; null for none of the shortlist';
CREATE TRIGGER ticket_ask_change BEFORE UPDATE ON public.ticket_ask FOR EACH ROW EXECUTE FUNCTION check_ticket_ask();
CREATE TRIGGER ticket_ask_delete BEFORE DELETE ON public.ticket_ask FOR EACH ROW EXECUTE FUNCTION refuse_change();

create table ticket_entity (
    ticket_id text collate "C" not null,
    n integer not null,
    kind text not null,
    value text collate "C" not null,
    unit text not null default ''::text,
    verified boolean not null,
    constraint ticket_entity_pkey PRIMARY KEY (ticket_id, n),
    constraint ticket_entity_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES ticket(id),
    constraint ticket_entity_kind CHECK ((kind = ANY (ARRAY['po'::text, 'asn'::text, 'sku'::text, 'gtin'::text, 'sscc'::text, 'lpn'::text, 'lot'::text, 'quantity'::text]))),
    constraint ticket_entity_n_check CHECK ((n >= 0)),
    constraint ticket_entity_unit CHECK (((kind = 'quantity'::text) = (unit <> ''::text))),
    constraint ticket_entity_value_check CHECK ((value <> ''::text)),
    constraint ticket_entity_verified CHECK (((kind <> ALL (ARRAY['gtin'::text, 'sscc'::text])) OR verified)),
);
CREATE TRIGGER ticket_entity_change BEFORE DELETE OR UPDATE ON public.ticket_entity FOR EACH ROW EXECUTE FUNCTION refuse_change();

create table ticket_event (
    id bigint not null generated always as identity,
    ticket_id text collate "C" not null,
    kind text not null,
    person_id bigint,
    detail text not null default ''::text,
    other_id text collate "C",
    at timestamp with time zone not null default clock_timestamp(),
    constraint ticket_event_pkey PRIMARY KEY (id),
    constraint ticket_event_other_id_fkey FOREIGN KEY (other_id) REFERENCES ticket(id),
    constraint ticket_event_person_id_fkey FOREIGN KEY (person_id) REFERENCES person(id),
    constraint ticket_event_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES ticket(id),
    constraint ticket_event_kind CHECK ((kind = ANY (ARRAY['resolved'::text, 'reopened'::text, 'merged'::text, 'took_in'::text, 'llm_gave_up'::text]))),
    constraint ticket_event_other CHECK (((kind = ANY (ARRAY['merged'::text, 'took_in'::text])) = (other_id IS NOT NULL))),
    constraint ticket_event_person CHECK (((kind = 'llm_gave_up'::text) = (person_id IS NULL))),
);
CREATE INDEX ticket_event_ticket_idx ON public.ticket_event USING btree (ticket_id, id);
CREATE TRIGGER ticket_event_change BEFORE DELETE OR UPDATE ON public.ticket_event FOR EACH ROW EXECUTE FUNCTION refuse_change();

create table ticket_label (
    ticket_id text collate "C" not null,
    seq integer not null,
    taxonomy bytea not null,
    label text collate "C" not null,
    path text not null,
    confidence double precision,
    alternatives jsonb not null,
    stray double precision,
    why text not null,
    secondary text[] not null,
    owner text collate "C" not null,
    copies text[] not null,
    severity smallint not null,
    restricted boolean not null,
    immediate boolean not null,
    signals text[] not null,
    facts text[] not null,
    model_id bigint,
    model_hash bytea,
    ask_id bigint,
    person_id bigint,
    step_id text collate "C" not null,
    created_at timestamp with time zone not null default clock_timestamp(),
    constraint ticket_label_pkey PRIMARY KEY (ticket_id, seq),
    constraint ticket_label_ask_id_fkey FOREIGN KEY (ask_id) REFERENCES ticket_ask(id),
    constraint ticket_label_model_id_fkey FOREIGN KEY (model_id) REFERENCES model(id),
    constraint ticket_label_person_id_fkey FOREIGN KEY (person_id) REFERENCES person(id),
    constraint ticket_label_step_id_fkey FOREIGN KEY (step_id) REFERENCES step(id),
    constraint ticket_label_taxonomy_label_fkey FOREIGN KEY (taxonomy, label) REFERENCES taxonomy_label(taxonomy, id),
    constraint ticket_label_ticket_id_fkey FOREIGN KEY (ticket_id) REFERENCES ticket(id),
    constraint ticket_label_alternatives_check CHECK ((jsonb_typeof(alternatives) = 'array'::text)),
    constraint ticket_label_confidence_check CHECK (((confidence >= (0)::double precision) AND (confidence <= (1)::double precision))),
    constraint ticket_label_model_hash_check CHECK ((octet_length(model_hash) = 32)),
    constraint ticket_label_origin CHECK ((((path = 'human'::text) = (person_id IS NOT NULL)) AND ((path = 'llm'::text) = (ask_id IS NOT NULL)) AND ((path <> 'embedded'::text) OR (model_hash IS NOT NULL)))),
    constraint ticket_label_owner_check CHECK ((owner <> ''::text)),
    constraint ticket_label_path CHECK ((path = ANY (ARRAY['embedded'::text, 'llm'::text, 'human'::text]))),
    constraint ticket_label_seq_check1 CHECK ((seq > 0)),
    constraint ticket_label_severity_check CHECK (((severity >= 1) AND (severity <= 4))),
    constraint ticket_label_stray_check CHECK (((stray >= (0)::double precision) AND (stray <= (1)::double precision))),
    constraint ticket_label_why_check CHECK ((why <> ''::text)),
);
CREATE INDEX ticket_label_human_idx ON public.ticket_label USING btree (person_id, created_at) WHERE (path = 'human'::text);
comment on column ticket_label.facts is 'structured facts that held when it was given';
comment on column ticket_label.model_id is 'null for the model that comes with the program';
CREATE TRIGGER ticket_label_change BEFORE DELETE OR UPDATE ON public.ticket_label FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ticket_label_check BEFORE INSERT ON public.ticket_label FOR EACH ROW EXECUTE FUNCTION check_ticket_label();

create table ticket_link (
    site text collate "C" not null,
    ticket_id text collate "C" not null,
    other_id text collate "C" not null,
    kind text not null,
    similarity double precision not null,
    constraint ticket_link_pkey PRIMARY KEY (ticket_id, other_id),
    constraint ticket_link_site_other_id_fkey FOREIGN KEY (site, other_id) REFERENCES ticket(site, id),
    constraint ticket_link_site_ticket_id_fkey FOREIGN KEY (site, ticket_id) REFERENCES ticket(site, id),
    constraint ticket_link_kind CHECK ((kind = ANY (ARRAY['duplicate'::text, 'similar'::text]))),
    constraint ticket_link_self CHECK ((ticket_id <> other_id)),
    constraint ticket_link_similarity_check CHECK (((similarity >= (0)::double precision) AND (similarity <= (1)::double precision))),
);
CREATE TRIGGER ticket_link_change BEFORE DELETE OR UPDATE ON public.ticket_link FOR EACH ROW EXECUTE FUNCTION refuse_change();

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

CREATE OR REPLACE FUNCTION public.check_approved_step()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
    if (select count(*) from execution where step_id = new.id and not compensation)
        is distinct from (select nullif(count(*), 0) from operation where recommendation_id = new.recommendation_id)
    then
        raise exception 'step % is approved and not all of its operations are queued', new.id
            using errcode = 'integrity_constraint_violation', constraint = 'step_executions';
    end if;
    return null;
end
$function$

CREATE OR REPLACE FUNCTION public.check_audit_entry()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.check_decision()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
    select id, state, action, binding, requirement, waits_since, expires_at, recommendation_id, site, value_minor into s
    from step
    where id = new.step_id
    for update;
    if not found then
        raise exception 'step % is not there', new.step_id
            using errcode = 'integrity_constraint_violation', constraint = 'decision_step';
    end if;
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
    if new.on_behalf_of is not null then
        if not exists (
            select from delegation d
            where d.from_id = new.on_behalf_of and d.to_id = new.person_id and d.revoked_at is null and s.action = any (d.kinds)
                and (s.site = any (d.sites) or '*' = any (d.sites)) and d.begins_at <= new.decided_at and d.ends_at > new.decided_at
                and (d.limit_minor is null or d.limit_minor >= s.value_minor))
        then
            raise exception '% may not act for % on step %', new.person_id, new.on_behalf_of, s.id
                using errcode = 'integrity_constraint_violation', constraint = 'decision_delegation';
        end if;
    end if;
    broken := case
        -- The program reads the clock after its lock, and no transaction of it idles for longer.
        when new.decided_at not between clock_timestamp() - interval '1 minute' and clock_timestamp() + interval '1 minute'
        then 'decision_now'
        when new.verdict = 'approve' and s.requirement -> 'deny' <> '[]' then 'decision_denied'
        when new.verdict = 'approve' and s.requirement ->> 'auth' = 'fresh' and new.strength <> 'fresh' then 'decision_fresh'
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
                and g.site in (s.site, '*') and g.revoked_at is null and (g.unlimited or g.limit_minor >= s.value_minor))
        then 'decision_role'
    end;
    if broken is not null then
        raise exception '% decides step %: %', new.person_id, s.id, case broken
                when 'decision_now' then 'at another time than now'
                when 'decision_denied' then 'the policy denies it'
                when 'decision_fresh' then 'it asks for a sign-in of just now'
                when 'decision_active' then 'somebody is not active'
                when 'decision_duties' then 'a party to it cannot approve it'
                else 'who approves does not hold the role for this value'
            end
            using errcode = 'integrity_constraint_violation', constraint = broken;
    end if;
    new.value_minor := s.value_minor;
    return new;
end
$function$

CREATE OR REPLACE FUNCTION public.check_execution_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.check_glass_review()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
    s step;
begin
    select * into strict s from step where id = new.step_id;
    if not s.break_glass then
        raise exception 'nobody broke the glass for step %', s.id
            using errcode = 'integrity_constraint_violation', constraint = 'glass_review_broken';
    end if;
    if exists (
        select from decision d
        where d.step_id = s.id and d.verdict = 'approve' and new.person_id in (d.person_id, d.on_behalf_of))
        or exists (
            select
            from recommendation r, jsonb_array_elements(r.parties) party
            left join person_ref f on f.ref = party ->> 'ref'
            where r.id = s.recommendation_id and coalesce((party ->> 'person')::bigint, f.person_id) = new.person_id)
    then
        raise exception 'whoever had a part in step % does not review it', s.id
            using errcode = 'integrity_constraint_violation', constraint = 'glass_review_duties';
    end if;
    if exists (select from person where id = new.person_id and deactivated_at is not null) then
        raise exception 'who reviews step % is not active', s.id
            using errcode = 'integrity_constraint_violation', constraint = 'glass_review_active';
    end if;
    return new;
end
$function$

CREATE OR REPLACE FUNCTION public.check_llm_request()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
    if old.settled_at is not null or (new.id, new.site, new.day, new.most_tokens, new.most_nanos, new.reserved_at)
        is distinct from (old.id, old.site, old.day, old.most_tokens, old.most_nanos, old.reserved_at) then
        raise exception 'request % is settled', old.id
            using errcode = 'integrity_constraint_violation', constraint = 'llm_request_once';
    end if;
    return new;
end
$function$

CREATE OR REPLACE FUNCTION public.check_model_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
    if tg_op = 'INSERT' then
        if new.state <> 'candidate' then
            raise exception 'a model begins as a candidate'
                using errcode = 'integrity_constraint_violation', constraint = 'model_promotion';
        end if;
        return new;
    end if;
    if new.state <> 'champion' or old.state = 'champion' then
        return new;
    end if;
    if new.authority = 'operator' and not exists (
        select from model
        where (subject, outcome) = (new.subject, new.outcome) and promoted_at is not null and id <> new.id)
        and old.promoted_at is null
    then
        return new;
    end if;
    if not exists (
        select from step s
        join recommendation r on r.id = s.recommendation_id
        join execution e on e.step_id = s.id
        where s.id = new.authority and s.action = 'promote_model' and s.state = 'executing' and s.subject = array[new.subject, new.outcome]
            and e.state = 'sending' and not e.compensation
            and (convert_from(r.payload, 'UTF8')::jsonb ->> 'model')::bigint = new.id
            and convert_from(r.payload, 'UTF8')::jsonb ->> 'artifact_sha256' = encode(sha256(new.artifact), 'hex'))
    then
        raise exception 'nobody approved that model % comes into force', new.id
            using errcode = 'integrity_constraint_violation', constraint = 'model_promotion';
    end if;
    return new;
end
$function$

CREATE OR REPLACE FUNCTION public.check_operation_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
    if tg_op = 'UPDATE' then
        raise exception 'operation never changes'
            using errcode = 'integrity_constraint_violation', constraint = 'operation_immutable';
    end if;
    if exists (select from step where recommendation_id = new.recommendation_id) then
        raise exception 'recommendation % has its step, and with it its plan', new.recommendation_id
            using errcode = 'integrity_constraint_violation', constraint = 'operation_of_step';
    end if;
    return new;
end
$function$

CREATE OR REPLACE FUNCTION public.check_policy_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
    broken text;
begin
    if tg_op = 'INSERT' then
        broken := case when new.state <> 'draft' and exists (select from policy) then 'policy_step' end;
    else
        broken := case
            when (new.version, new.name, new.source, new.author_id) is distinct from (old.version, old.name, old.source, old.author_id)
            then 'policy_immutable'
            when new.state <> old.state and old.state || ' ' || new.state not in (
                'draft scheduled', 'retired scheduled', 'scheduled active', 'scheduled retired', 'active retired')
            then 'policy_step'
            when new.effective_from is distinct from old.effective_from and not (old.state <> 'scheduled' and new.state = 'scheduled')
            then 'policy_immutable'
            when new.state = 'active' and new.effective_from > clock_timestamp() then 'policy_step'
            when old.state <> 'scheduled' and new.state = 'scheduled' and not exists (
                select from step s
                join execution e on e.step_id = s.id
                cross join lateral (select convert_from(e.body, 'UTF8')::jsonb as action) approved
                where s.action = 'change_policy' and s.state = 'executing' and e.state = 'sending' and not e.compensation
                    and approved.action ->> 'version_sha256' = new.version
                    and (approved.action ->> 'effective_from')::timestamptz <= new.effective_from)
            then 'policy_step'
        end;
    end if;
    if broken is not null then
        raise exception 'policy % is %: nobody approved that it becomes %', left(new.version, 8), case tg_op when 'UPDATE' then old.state else 'new' end, new.state
            using errcode = 'integrity_constraint_violation', constraint = broken;
    end if;
    return new;
end
$function$

CREATE OR REPLACE FUNCTION public.check_quorum()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
    s      record;
    broken text;
begin
    select id, approved_at, break_glass, binding, plan_hash, requirement, recommendation_id into s
    from step
    where id = new.step_id;
    if s.approved_at is null then
        raise exception 'step % is not there, or not approved: nothing may be sent for it', new.step_id
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
        when s.plan_hash is distinct from plan_hash(s.recommendation_id) then 'step_plan'
        when not exists (
            select from operation o
            where o.recommendation_id = s.recommendation_id and o.n = new.operation
                and o.target = new.target
                and new.body = case when new.compensation then o.compensate else o.body end)
        then 'execution_body'
    end;
    if broken is not null then
        raise exception 'operation % of step % was not approved%', new.operation, s.id,
                case broken when 'execution_quorum' then ' by enough people' when 'step_plan' then ': its plan is another one' else ' like that' end
            using errcode = 'integrity_constraint_violation', constraint = broken;
    end if;
    return null;
end
$function$

CREATE OR REPLACE FUNCTION public.check_step_audited()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
    if new.audited = 1 + (case tg_op when 'UPDATE' then old.audited else 0 end) then
        if exists (select from audit_entry where stream = new.id and seq = new.audited) then
            return null;
        end if;
    elsif new.audited = 0 and new.touched_at is null and new.state in ('pending', 'blocked', 'superseded') then
        if exists (select from recommendation where id = new.recommendation_id and ranking_id is not null) then
            return null;
        end if;
    end if;
    raise exception 'version % of step % has no audit entry', new.version, new.id
        using errcode = 'integrity_constraint_violation', constraint = 'step_audited';
end
$function$

CREATE OR REPLACE FUNCTION public.check_step_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.check_step_delete()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
    if old.state <> 'superseded' or old.audited > 0 or exists (select from decision where step_id = old.id) then
        raise exception 'step % stays: it is %', old.id, old.state
            using errcode = 'integrity_constraint_violation', constraint = 'step_stays';
    end if;
    return old;
end
$function$

CREATE OR REPLACE FUNCTION public.check_ticket_ask()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
    if old.settled_at is not null
        or (new.id, new.ticket_id, new.sent, new.shortlist, new.examples, new.replaced, new.asked_at)
            is distinct from (old.id, old.ticket_id, old.sent, old.shortlist, old.examples, old.replaced, old.asked_at)
    then
        raise exception 'ask % is settled', old.id
            using errcode = 'integrity_constraint_violation', constraint = 'ticket_ask_once';
    end if;
    return new;
end
$function$

CREATE OR REPLACE FUNCTION public.check_ticket_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
    into_ ticket;
begin
    if (new.id, new.n, new.site, new.body, new.reporter, new.load, new.order_ref, new.sku, new.location, new.lot, new.supplier,
        new.facts, new.value_minor, new.currency, new.share, new.floor, new.floor_restricted,
        new.api_key, new.idempotency_key, new.fingerprint, new.answer, new.received_at)
        is distinct from
        (old.id, old.n, old.site, old.body, old.reporter, old.load, old.order_ref, old.sku, old.location, old.lot, old.supplier,
        old.facts, old.value_minor, old.currency, old.share, old.floor, old.floor_restricted,
        old.api_key, old.idempotency_key, old.fingerprint, old.answer, old.received_at) then
        raise exception 'what ticket % said cannot change', old.id
            using errcode = 'integrity_constraint_violation', constraint = 'ticket_immutable';
    end if;
    if new.label_seq not in (old.label_seq, old.label_seq + 1) then
        raise exception 'ticket % has label % and cannot get %', old.id, old.label_seq, new.label_seq
            using errcode = 'integrity_constraint_violation', constraint = 'ticket_label_order';
    end if;
    if new.asking <> old.asking and (old.asking <> 'waiting' or new.asking = 'no') then
        raise exception 'ticket %: asking is % and cannot become %', old.id, old.asking, new.asking
            using errcode = 'integrity_constraint_violation', constraint = 'ticket_asking_once';
    end if;
    if new.status <> old.status and old.status <> 'open' and new.status <> 'open'
        or new.status = old.status and new.merged_into is distinct from old.merged_into
    then
        raise exception 'ticket % is % and cannot become %', old.id, old.status, new.status
            using errcode = 'integrity_constraint_violation', constraint = 'ticket_transition';
    end if;
    if new.status = 'merged' and old.status <> 'merged' then
        select * into into_ from ticket where id = new.merged_into for share;
        if into_.status = 'merged' or exists (select from ticket where merged_into = new.id)
            or (select severity from ticket_label where ticket_id = into_.id and seq = into_.label_seq)
                > (select severity from ticket_label where ticket_id = new.id and seq = new.label_seq)
            or (select restricted from ticket_label where ticket_id = new.id and seq = new.label_seq)
                and not (select restricted from ticket_label where ticket_id = into_.id and seq = into_.label_seq)
        then
            raise exception 'ticket % cannot go into %', new.id, new.merged_into
                using errcode = 'integrity_constraint_violation', constraint = 'ticket_merge';
        end if;
    end if;
    return new;
end
$function$

CREATE OR REPLACE FUNCTION public.check_ticket_label()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
    t ticket;
begin
    select * into t from ticket where id = new.ticket_id;
    if new.seq <> (select coalesce(max(seq), 0) + 1 from ticket_label where ticket_id = new.ticket_id) then
        raise exception 'ticket % has no room for label %', new.ticket_id, new.seq
            using errcode = 'integrity_constraint_violation', constraint = 'ticket_label_order';
    end if;
    if new.severity > t.floor or t.floor_restricted and not new.restricted then
        raise exception 'ticket % cannot become less urgent or more open than its words', new.ticket_id
            using errcode = 'integrity_constraint_violation', constraint = 'ticket_label_floor';
    end if;
    return new;
end
$function$

CREATE OR REPLACE FUNCTION public.execution_states()
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
    select array['queued', 'sending', 'unknown', 'applied', 'refused', 'cancelled']
$function$

CREATE OR REPLACE FUNCTION public.humans(requirement jsonb)
 RETURNS bigint
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE
AS $function$
begin
    return (
        select coalesce(sum((slot ->> 'count')::int), 0)
        from jsonb_array_elements(requirement -> 'slots') slot);
end
$function$

CREATE OR REPLACE FUNCTION public.note_decision_humans()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
AS $function$
begin
    insert into public.decision_human (step_id, binding, person_id, decision_id) values (new.step_id, new.binding, new.person_id, new.id);
    if new.on_behalf_of is not null then
        insert into public.decision_human (step_id, binding, person_id, decision_id) values (new.step_id, new.binding, new.on_behalf_of, new.id);
    end if;
    return null;
end
$function$

CREATE OR REPLACE FUNCTION public.plan_hash(recommendation text)
 RETURNS bytea
 LANGUAGE plpgsql
 STABLE
AS $function$
begin
    return (
        select sha256(
            convert_to(case when bool_and(compensate is null and irreversible is null) then 'tallyman/plan/v1' else 'tallyman/plan/v2' end, 'UTF8')
            || '\x00'::bytea
            || string_agg(
                int8send(octet_length(target)) || convert_to(target, 'UTF8')
                || int8send(octet_length(body)) || body
                || int8send(coalesce(octet_length(compensate), 0)) || coalesce(compensate, ''::bytea)
                || case when compensate is null and irreversible is null then ''::bytea
                    else int8send(coalesce(octet_length(irreversible), 0)) || convert_to(coalesce(irreversible, ''), 'UTF8') end,
                ''::bytea order by n))
        from operation
        where recommendation_id = recommendation);
end
$function$

CREATE OR REPLACE FUNCTION public.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
    raise exception '% never changes', tg_table_name
        using errcode = 'integrity_constraint_violation', constraint = tg_table_name || '_immutable';
end
$function$

CREATE OR REPLACE FUNCTION public.refuse_row(relation text, rule text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
    raise exception 'new row of % breaks the rule %', relation, rule
        using errcode = 'check_violation', table = relation, constraint = rule;
end
$function$

CREATE OR REPLACE FUNCTION public.stand_ins(requirement jsonb)
 RETURNS TABLE(slot text, role text, after interval)
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
    select x ->> 'for', x ->> 'role', make_interval(secs => (x ->> 'after_us')::bigint / 1e6)
    from jsonb_array_elements(coalesce(requirement -> 'stand_ins', '[]')) x
$function$

CREATE OR REPLACE FUNCTION public.step_may_become(was text, becomes text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
    select was || ' ' || becomes in (
        'blocked pending', 'blocked withdrawn', 'blocked expired', 'blocked superseded',
        'pending pending', 'pending approved', 'pending rejected', 'pending changes_requested', 'pending withdrawn', 'pending expired',
        'pending superseded',
        'changes_requested changes_requested', 'changes_requested rejected', 'changes_requested withdrawn', 'changes_requested expired',
        'changes_requested superseded',
        'approved withdrawn', 'approved executing', 'approved invalidated',
        'executing executing', 'executing succeeded', 'executing unknown', 'executing failed', 'executing compensating',
        'unknown executing', 'unknown succeeded', 'unknown failed', 'unknown compensating',
        'failed executing', 'failed invalidated', 'failed withdrawn',
        'compensating compensating', 'compensating compensated', 'compensating compensation_failed',
        'compensation_failed compensating', 'compensation_failed compensated')
$function$

CREATE OR REPLACE FUNCTION public.step_states()
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
    select array['blocked', 'pending', 'changes_requested', 'approved', 'executing', 'unknown', 'failed', 'compensating',
        'compensation_failed', 'succeeded', 'compensated', 'rejected', 'withdrawn', 'expired', 'superseded', 'invalidated']
$function$

CREATE OR REPLACE FUNCTION public.verdicts()
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
    select array['approve', 'reject', 'request_changes']
$function$

CREATE OR REPLACE FUNCTION public.viewer_sites()
 RETURNS text[]
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$
    select coalesce(array_agg(site), '{}')
    from (
        select g.site
        from role_grant g
        join person p on p.id = g.person_id
        where g.person_id = nullif(current_setting('tallyman.person', true), '')::bigint
            and g.revoked_at is null and p.deactivated_at is null
        union
        select unnest(case when k.sites = '{}' then array['*'] else k.sites end)
        from api_key k
        where k.id = nullif(current_setting('tallyman.key', true), '')
            and 'steps:read' = any (k.scopes) and k.revoked_at is null and k.expires_at > now()
    ) seen
$function$

