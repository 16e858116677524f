-- Keys of the API. The secret itself is shown once and never stored; it has 256
-- random bits, so that a plain hash is enough.
create table api_key (
    id           text        collate "C" primary key check (id ~ '^[0-9A-Za-z]{8}$'),
    name         text        not null check (name <> ''),
    env          text        not null check (env ~ '^[a-z]{1,8}$'),
    secret_hash  bytea       not null check (octet_length(secret_hash) = 32),
    scopes       text[]      not null,
    sites        text[]      collate "C" not null,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz not null,
    last_used_at timestamptz,
    revoked_at   timestamptz,
    constraint api_key_scopes check (
        cardinality(scopes) > 0
        and scopes <@ array['events:write', 'risk:write', 'risk:read', 'queue:read']),
    constraint api_key_sites check (
        array_position(sites, null) is null and array_position(sites, '') is null),
    constraint api_key_expiry check (
        expires_at > created_at and expires_at <= created_at + interval '366 days')
);

comment on column api_key.sites is 'empty for every site';
