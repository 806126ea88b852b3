-- The admin console's table of prompts, as it is in the real database.

create role anon nologin;
create role service_role nologin bypassrls;

create table public.system_prompts (
  id uuid primary key default gen_random_uuid(),
  type text not null default 'system-prompt',
  title text not null,
  description text,
  status text not null default 'draft' check (status in ('active', 'draft', 'archived', 'pending')),
  tags text[] not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  payload jsonb not null default '{}'
);

-- At most one row is active, whatever the console does.
create unique index system_prompts_one_active on public.system_prompts (status) where status = 'active';

-- clock_timestamp() and not now(): two edits in one transaction are two versions.
create function public.set_updated_at() returns trigger language plpgsql as $$
begin
  new.updated_at := clock_timestamp();
  return new;
end $$;

create trigger system_prompts_updated_at before update on public.system_prompts
  for each row execute function public.set_updated_at();

alter table public.system_prompts enable row level security;

grant usage on schema public to anon, service_role;
grant select, insert, update, delete on public.system_prompts to service_role;

-- What else the server configures itself with: the tables of the ready-made resources.

create table public.rag_documents (
  id bigint generated always as identity primary key,
  hub_id text not null,
  title text not null,
  body text not null,
  rank integer not null default 0,
  status text not null default 'active'
);

create table public.lenses (
  id text primary key,
  title text not null,
  payload jsonb not null default '{}',
  updated_at timestamptz not null default now()
);

create trigger lenses_updated_at before update on public.lenses
  for each row execute function public.set_updated_at();

create table public.feature_flags (
  key text primary key,
  enabled boolean not null default false
);

create table public.narrative_nodes (
  id text primary key,
  hub_id text not null,
  title text not null
);

-- An edge has the hub of its node, so that a changed one tells which graph it is of.
create table public.narrative_edges (
  id bigint generated always as identity primary key,
  hub_id text not null,
  node_id text not null references public.narrative_nodes (id) on delete cascade,
  to_id text not null,
  kind text not null
);

alter table public.rag_documents enable row level security;
alter table public.lenses enable row level security;
alter table public.feature_flags enable row level security;
alter table public.narrative_nodes enable row level security;
alter table public.narrative_edges enable row level security;

grant select, insert, update, delete on public.rag_documents, public.lenses, public.feature_flags,
  public.narrative_nodes, public.narrative_edges to service_role;
