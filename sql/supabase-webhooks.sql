-- Tells your servers of each change of the tables that you name, so that their caches drop what it concerns.
--
-- Run this once in Supabase: in the SQL editor, or as a migration. Running it again brings it up to date and keeps the settings.
-- Then, as the role that ran it:
--
--   select grove_cache.configure('https://your-server.example/webhooks/supabase', 'the secret of your servers');
--   select grove_cache.watch('public.documents');                    -- whole rows are sent
--   select grove_cache.watch('public.documents', 'id', 'hub_id');    -- or these columns of them
--   select grove_cache.unwatch('public.documents');
--
-- A change is posted once it is committed, and never if it is rolled back. It is signed (standardwebhooks.com), so the secret is
-- neither sent nor in pg_net's queue. Whatever goes wrong here is a warning in the log, and the transaction goes on.
--
-- Needs Postgres 14 and pg_net, which Supabase has.

do $$
begin
  if to_regproc('net.http_post') is null then
    create extension if not exists pg_net with schema extensions;
  end if;
end $$;

-- Nobody but the owner may do anything with what is in here.
create schema if not exists grove_cache;
revoke all on schema grove_cache from public;

create table if not exists grove_cache.settings (
  -- There is one row at most.
  one boolean primary key default true check (one),
  url text not null,
  secret text not null
);

-- What the transaction under way has to post. It is empty between transactions.
create unlogged table if not exists grove_cache.outgoing (
  id bigint generated always as identity primary key,
  message jsonb not null
);

-- A second wall, should somebody grant rights on all tables: there is no policy, so that only the owner sees rows.
alter table grove_cache.settings enable row level security;
alter table grove_cache.outgoing enable row level security;

-- Where to post to, and what to sign with: the SUPABASE_WEBHOOK_SECRET of the servers.
create or replace function grove_cache.configure(url text, secret text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if url is null or url !~ '^(https://|http://(localhost|127\.0\.0\.1|host\.docker\.internal)[:/])' then
    raise exception 'grove_cache: the url must begin with https://';
  elsif secret is null or char_length(secret) < 32 then
    raise exception 'grove_cache: the secret must have 32 characters at least';
  end if;
  perform grove_cache.signing_key(secret);
  insert into grove_cache.settings (url, secret) values (configure.url, configure.secret)
  on conflict (one) do update set url = excluded.url, secret = excluded.secret;
end $$;

-- A secret as the libraries of Standard Webhooks write it has its key encoded; any other text is the key itself.
create or replace function grove_cache.signing_key(secret text) returns bytea
language plpgsql immutable strict set search_path = pg_catalog, pg_temp as $$
begin
  if secret not like 'whsec\_%' then return convert_to(secret, 'UTF8'); end if;
  return decode(substr(secret, 7), 'base64');
exception when invalid_parameter_value then
  raise exception 'grove_cache: what follows whsec_ in the secret must be base64';
end $$;

-- HMAC-SHA-256 (RFC 2104) with what Postgres has itself. pgcrypto has it too, but is not installed everywhere, nor in one schema.
create or replace function grove_cache.hmac_sha256(key bytea, message bytea) returns bytea
language plpgsql immutable strict set search_path = pg_catalog, pg_temp as $$
declare
  inner_pad bytea;
  outer_pad bytea;
begin
  if length(key) > 64 then key := sha256(key); end if;
  inner_pad := key || decode(repeat('00', 64 - length(key)), 'hex');
  outer_pad := inner_pad;
  for i in 0..63 loop
    inner_pad := set_byte(inner_pad, i, get_byte(inner_pad, i) # 54);
    outer_pad := set_byte(outer_pad, i, get_byte(outer_pad, i) # 92);
  end loop;
  return sha256(outer_pad || sha256(inner_pad || message));
end $$;

create or replace function grove_cache.named_part(whole jsonb, columns text[]) returns jsonb
language sql immutable strict set search_path = pg_catalog, pg_temp as $$
  select coalesce(jsonb_object_agg(key, value), '{}') from jsonb_each(whole) where key = any (columns)
$$;

-- What is left of a row that is too large: the values of up to 1 KB. Keys are never longer.
create or replace function grove_cache.small_part(whole jsonb) returns jsonb
language sql immutable strict set search_path = pg_catalog, pg_temp as $$
  select coalesce(jsonb_object_agg(key, value), '{}') from jsonb_each(whole) where octet_length(value::text) <= 1024
$$;

-- The trigger of watched tables: puts what is to be posted aside until the transaction commits.
create or replace function grove_cache.announce() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  -- So many rows of a table in one transaction are told of one by one. The next one stands for all further ones: it goes as a
  -- TRUNCATE, which concerns every entry of the table. pg_net posts some 200 a second, and a signature is good for five minutes.
  most_rows constant integer := 100;
  -- The servers take 1 MiB.
  most_bytes constant integer := 262144;
  -- A partition is announced as the table that it is a part of.
  watched constant oid := coalesce(pg_partition_root(tg_relid), tg_relid);
  counter constant text := 'grove_cache.rows_' || watched;
  nth_row integer;
  kind text := tg_op;
  new_row jsonb;
  old_row jsonb;
  body jsonb;
begin
  -- Compared byte by byte, as not every type has an equality.
  if kind = 'UPDATE' then
    if old *= new then return null; end if;
  end if;
  nth_row := coalesce(nullif(current_setting(counter, true), ''), '0')::integer + 1;
  if nth_row > most_rows + 1 then return null; end if;
  if nth_row > most_rows then kind := 'TRUNCATE'; end if;

  if kind in ('INSERT', 'UPDATE') then new_row := to_jsonb(new); end if;
  if kind in ('UPDATE', 'DELETE') then old_row := to_jsonb(old); end if;
  if tg_nargs > 0 then
    new_row := grove_cache.named_part(new_row, tg_argv[0]::text[]);
    old_row := grove_cache.named_part(old_row, tg_argv[0]::text[]);
  end if;
  select jsonb_build_object(
    'type', kind, 'schema', n.nspname, 'table', c.relname, 'record', new_row, 'old_record', old_row
  ) into strict body
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = watched;
  if octet_length(body::text) > most_bytes then
    body := body || jsonb_build_object(
      'record', grove_cache.small_part(new_row), 'old_record', grove_cache.small_part(old_row), 'partial', true
    );
  end if;

  insert into grove_cache.outgoing (message) values (body);
  perform set_config(counter, nth_row::text, true);
  return null;
exception when others then
  raise warning 'grove_cache: % of %.% was not announced: %', tg_op, tg_table_schema, tg_table_name, sqlerrm;
  return null;
end $$;

-- Posts when the transaction commits. Not the tables' own triggers do: a signature made early in a long transaction would have
-- expired, and a table with triggers that are still to come cannot be altered. Before Postgres 18, this runs as whoever commits.
create or replace function grove_cache.post() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  place grove_cache.settings;
  id constant text := 'msg_' || gen_random_uuid();
  sent_at constant bigint := extract(epoch from clock_timestamp());
  signature bytea;
begin
  delete from grove_cache.outgoing where outgoing.id = new.id;
  begin
    select * into place from grove_cache.settings;
    if not found then raise exception 'nothing is configured, see grove_cache.configure'; end if;
    -- pg_net sends this text of the jsonb, in this encoding.
    signature := grove_cache.hmac_sha256(
      grove_cache.signing_key(place.secret), convert_to(concat_ws('.', id, sent_at, new.message), 'UTF8')
    );
    perform net.http_post(
      url => place.url,
      body => new.message,
      headers => jsonb_build_object(
        'content-type', 'application/json',
        'webhook-id', id,
        'webhook-timestamp', sent_at::text,
        'webhook-signature', 'v1,' || encode(signature, 'base64')
      ),
      timeout_milliseconds => 5000
    );
  exception when others then
    raise warning 'grove_cache: % of %.% was not posted: %',
      new.message ->> 'type', new.message ->> 'schema', new.message ->> 'table', sqlerrm;
  end;
  return null;
end $$;

drop trigger if exists post on grove_cache.outgoing;
create constraint trigger post after insert on grove_cache.outgoing
  deferrable initially deferred for each row execute function grove_cache.post();

-- Announces the changes of a table from now on, with whole rows or with these columns of them.
create or replace function grove_cache.watch(target regclass, variadic columns text[] default '{}') returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  missing text;
begin
  select string_agg(name, ', ') into missing from unnest(columns) name where not exists (
    select from pg_attribute where attrelid = target and attname = name and attnum > 0 and not attisdropped
  );
  if missing is not null then raise exception 'grove_cache: % has no column %', target, missing; end if;
  execute format(
    'create or replace trigger grove_cache_rows after insert or update or delete on %s for each row execute function grove_cache.announce(%s)',
    target, case when cardinality(columns) > 0 then quote_literal(columns) end
  );
  execute format(
    'create or replace trigger grove_cache_truncate after truncate on %s for each statement execute function grove_cache.announce()',
    target
  );
end $$;

create or replace function grove_cache.unwatch(target regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  execute format('drop trigger if exists grove_cache_rows on %s', target);
  execute format('drop trigger if exists grove_cache_truncate on %s', target);
end $$;

revoke all on all tables in schema grove_cache from public;
revoke all on all functions in schema grove_cache from public;
