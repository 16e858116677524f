-- Who may decide. A person is a human, however many accounts they have.

create table person (
    id             bigint      generated always as identity primary key,
    name           text        not null check (name <> ''),
    email          text        collate "C" unique check (email = lower(email) and email <> ''),
    refs_known     boolean     not null default false,
    created_at     timestamptz not null default now(),
    deactivated_at timestamptz
);

comment on column person.refs_known is 'somebody vouched that person_ref names all of this person''s users in other systems';

-- A way to sign in.
create table account (
    id            bigint      generated always as identity primary key,
    person_id     bigint      not null references person,
    issuer        text        collate "C" not null check (issuer <> ''),
    subject       text        collate "C" not null check (subject <> ''),
    password_hash text,
    failures      int         not null default 0 check (failures >= 0),
    locked_until  timestamptz,
    created_at    timestamptz not null default now(),
    disabled_at   timestamptz,
    unique (issuer, subject),
    constraint account_password check ((issuer = 'local') = (password_hash is not null))
);

comment on column account.issuer is '"local", or the URL of an OpenID Connect provider';
comment on column account.password_hash is 'argon2id in PHC form';

create index account_person_idx on account (person_id);

-- Which user of a WMS or ERP a person is: who counted must not approve.
create table person_ref (
    ref       text   collate "C" primary key check (ref <> ''),
    person_id bigint not null references person
);

create index person_ref_person_idx on person_ref (person_id);

create table role_grant (
    id          bigint      generated always as identity primary key,
    person_id   bigint      not null references person,
    role        text        collate "C" not null check (role ~ '^[a-z][a-z0-9_]{0,39}$'),
    site        text        collate "C" not null check (site <> ''),
    limit_minor bigint      check (limit_minor >= 0),
    daily_minor bigint      check (daily_minor >= 0),
    unlimited   boolean     not null default false,
    origin      text        not null,
    granted_by  bigint      references person,
    granted_at  timestamptz not null default now(),
    revoked_at  timestamptz,
    constraint role_grant_limit check (unlimited or (limit_minor is not null and daily_minor is not null)),
    constraint role_grant_origin check (
        origin in ('person', 'command', 'oidc') and (origin = 'person') = (granted_by is not null)),
    constraint role_grant_not_own check (granted_by <> person_id)
);

comment on column role_grant.site is '"*" for every site';
comment on column role_grant.unlimited is 'must be said: an amount that is left blank is no amount';

create unique index role_grant_current on role_grant (person_id, role, site) where revoked_at is null;

create table delegation (
    id          bigint      generated always as identity primary key,
    from_id     bigint      not null references person,
    to_id       bigint      not null references person,
    kinds       text[]      not null,
    sites       text[]      collate "C" not null,
    limit_minor bigint      check (limit_minor >= 0),
    begins_at   timestamptz not null,
    ends_at     timestamptz not null,
    created_at  timestamptz not null default now(),
    revoked_at  timestamptz,
    constraint delegation_people check (from_id <> to_id),
    constraint delegation_kinds check (
        cardinality(kinds) > 0 and array_position(kinds, null) is null and not 'change_policy' = any (kinds)),
    constraint delegation_sites check (cardinality(sites) > 0 and array_position(sites, null) is null),
    constraint delegation_time check (ends_at > begins_at and ends_at <= begins_at + interval '30 days')
);

comment on column delegation.limit_minor is 'null for as much as the delegator may';

create index delegation_to_idx on delegation (to_id, ends_at) where revoked_at is null;

create table session (
    token_hash       bytea       primary key check (octet_length(token_hash) = 32),
    account_id       bigint      not null references account,
    person_id        bigint      not null references person,
    authenticated_at timestamptz not null default clock_timestamp(),
    seen_at          timestamptz not null default clock_timestamp(),
    expires_at       timestamptz not null,
    constraint session_life check (expires_at <= authenticated_at + interval '12 hours')
);

create index session_person_idx on session (person_id);
