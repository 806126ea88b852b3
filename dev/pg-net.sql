-- The part of pg_net that webhooks need, as the extension has it: same names, arguments, defaults and rights. What posts is in
-- pg-net.mjs.

create schema net;

create unlogged table net.http_request_queue (
  id bigserial,
  method text not null,
  url text not null,
  headers jsonb,
  body bytea,
  timeout_milliseconds int not null
);

create unlogged table net._http_response (
  id bigint,
  status_code integer,
  content_type text,
  headers jsonb,
  content text,
  timed_out bool,
  error_msg text,
  created timestamptz not null default now()
);

create function net.http_post(
  url text,
  body jsonb default '{}'::jsonb,
  params jsonb default '{}'::jsonb,
  headers jsonb default '{"Content-Type": "application/json"}'::jsonb,
  timeout_milliseconds int default 5000
) returns bigint language plpgsql as $$
declare
  content_type text := (select value from jsonb_each_text(headers) where lower(key) = 'content-type' limit 1);
  request_id bigint;
begin
  if params <> '{}' then raise exception 'this stand-in takes no params'; end if;
  if content_type is null then headers := headers || '{"Content-Type": "application/json"}'; end if;
  if content_type <> 'application/json' then raise exception 'Content-Type header must be "application/json"'; end if;
  insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds)
  values ('POST', http_post.url, http_post.headers, convert_to(http_post.body::text, 'UTF8'), http_post.timeout_milliseconds)
  returning id into request_id;
  -- Told at COMMIT, and not after a ROLLBACK.
  perform pg_notify('net_wake', '');
  return request_id;
end $$;

grant usage on schema net to public;
grant all on all sequences in schema net to public;
grant all on all tables in schema net to public;
