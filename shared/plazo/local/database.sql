-- The three roles and the database of one service. A psql script: run it as a superuser or as a role that
-- may create roles and databases, as often as wanted.
--
--   psql -v service=sla_clock -v database=plazo_sla_clock -f database.sql
--
-- with PLAZO_OWNER_PASSWORD, PLAZO_APP_PASSWORD and PLAZO_SYSTEM_PASSWORD in the environment. The roles:
--   <service>_owner   owns the database and everything in it; migrations run as it
--   <service>         serves requests; row-level security confines it to the desk of its transaction
--   <service>_system  relay, timers and key look-ups; policies of row-level security let it see every desk
-- Which of them may do what to a table is granted by the migrations. PLAZO_REPLICAS (3) and PLAZO_DATABASE_CONNECTIONS
-- (10) say how many processes of the service there are at most, and what each of them was told.
\set ON_ERROR_STOP on
\getenv owner_password PLAZO_OWNER_PASSWORD
\getenv app_password PLAZO_APP_PASSWORD
\getenv system_password PLAZO_SYSTEM_PASSWORD
\set replicas 3
\getenv replicas PLAZO_REPLICAS
\set connections 10
\getenv connections PLAZO_DATABASE_CONNECTIONS
\set owner :service _owner
\set system :service _system

-- Roles belong to the whole cluster: two runs at once must not both create one.
SELECT pg_advisory_lock(hashtext('plazo.roles')) \g /dev/null

SELECT format('CREATE ROLE %I', wanted.role)
FROM (VALUES (:'owner'), (:'service'), (:'system')) AS wanted (role)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted.role) \gexec

-- Twice what the pools of all processes open, and of three at least: a network that breaks leaves some behind. The
-- system role listens too, and holds a desk's clock while that is moved. Of the 300 connections of a server a service
-- that was taken over then leaves the others what they need.
SELECT 2 * greatest(3, :'replicas'::int) * :'connections'::int AS app_limit,
  2 * greatest(3, :'replicas'::int) * (greatest(4, :'connections'::int / 3) + 1) AS system_limit \gset

ALTER ROLE :"owner" LOGIN PASSWORD :'owner_password' CONNECTION LIMIT 10;
ALTER ROLE :"service" LOGIN PASSWORD :'app_password' CONNECTION LIMIT :app_limit;
ALTER ROLE :"system" LOGIN PASSWORD :'system_password' CONNECTION LIMIT :system_limit;

-- What a query may spill on the disk, in each connection. Not for the owner: an index of a large table needs more.
SELECT format('ALTER ROLE %I SET temp_file_limit = ''1GB''', rolname) FROM pg_roles
WHERE rolname IN (:'service', :'system') AND has_parameter_privilege('temp_file_limit', 'SET') \gexec

-- What new roles are not; of old ones only a superuser may say so.
SELECT format('ALTER ROLE %I NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS', rolname) FROM pg_roles
WHERE rolname IN (:'owner', :'service', :'system')
  AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolbypassrls) \gexec

-- Who is no superuser must be a member of the owner to give it a database.
SELECT format('GRANT %I TO %I', :'owner', current_user) FROM pg_roles
WHERE rolname = current_user AND NOT rolsuper \gexec

-- The locale is named so that text sorts and folds the same on every server.
SELECT format(
  'CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING ''UTF8'' LOCALE_PROVIDER builtin BUILTIN_LOCALE ''C.UTF-8''',
  :'database', :'owner')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec

REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO :"service", :"system";

-- PostgreSQL lets everybody into these two. Who else has business there is granted CONNECT by name.
SELECT format('REVOKE CONNECT, TEMPORARY ON DATABASE %I FROM PUBLIC', datname) FROM pg_database
WHERE datname IN ('postgres', 'template1') AND pg_has_role(datdba, 'USAGE')
  AND has_database_privilege('public', oid, 'CONNECT, TEMPORARY') \gexec

-- Large objects are nobody's table: everybody may make them, as many as the disk holds. Only a superuser may say no.
SELECT rolsuper AS is_superuser FROM pg_roles WHERE rolname = current_user \gset
\if :is_superuser
  \set revoke 'SELECT format(''REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC'', oid::regprocedure) FROM pg_proc'
  \set revoke :revoke ' WHERE pronamespace = ''pg_catalog''::regnamespace AND proname ~ ''^lo(_|read$|write$)'''
  \set revoke :revoke ' AND has_function_privilege(''public'', oid, ''EXECUTE'')'
  \connect :"database"
  SELECT pg_advisory_lock(hashtext('plazo.roles')) \g /dev/null
  :revoke \gexec
  \connect template1
  SELECT pg_advisory_lock(hashtext('plazo.roles')) \g /dev/null
  :revoke \gexec
\endif
