// The double of pg_net: it posts what was committed, whoever committed it, and nothing else.
import test from 'ava'
import { readBody, serve } from '../dev/loopback.mjs'
import { startPgNet } from '../dev/pg-net.mjs'
import { startPostgres } from '../dev/postgres.mjs'
import { startPostgrest } from '../dev/postgrest.mjs'
import { until } from '../dev/until.mjs'

const arrived = []
let server
let postgres
let net

test.serial.before(async () => {
  server = await serve(async (request, response) => {
    const { body } = await readBody(request)
    if (request.url === '/never') return
    arrived.push({ ...request.headers, method: request.method, body: body.toString() })
    response.writeHead(418).end('teapot')
  })
  postgres = await startPostgres()
  net = await startPgNet(postgres)
  const exec = (text) => postgres.session.alone((database) => database.exec(text))
  await exec(`
    create function post(body jsonb) returns bigint language sql
      as $$ select net.http_post('${server.url}', body) $$;
    grant execute on function post to anon`)
})
test.after.always(async () => {
  await net?.stop()
  await postgres?.stop()
  await server?.stop()
})
test.beforeEach(() => arrived.splice(0))

test.serial(
  'a request is posted once it is committed, byte by byte as jsonb prints it',
  async (t) => {
    const [{ id }] = await postgres.sql(`select post('{"b":1.50,"a":"ü"}') as id`)
    const [post] = await until(() => arrived.length > 0 && arrived, 'the request')
    t.like(post, {
      method: 'POST',
      'content-type': 'application/json',
      body: '{"a": "ü", "b": 1.50}',
    })
    await net.idle()
    const [response] = await postgres.sql('select * from net._http_response where id = $1', [id])
    t.like(response, { status_code: 418, content: 'teapot', timed_out: false, error_msg: null })
    t.deepEqual(await postgres.sql('select * from net.http_request_queue'), [])
  },
)

test.serial('a request is not posted before the commit, and never after a rollback', async (t) => {
  const run = (text) => postgres.session.alone((database) => database.exec(text))
  await run(`begin; select post('{"rolled": "back"}')`)
  await run('rollback')
  await run(`begin; select post('{"committed": true}'); commit`)
  await until(() => arrived.length > 0, 'the request')
  t.deepEqual(
    arrived.map(({ body }) => body),
    ['{"committed": true}'],
  )
})

test.serial("a request that the socket's client commits is posted too", async (t) => {
  const postgrest = await startPostgrest({ databaseUrl: postgres.url })
  t.teardown(() => postgrest.stop())
  const answer = await fetch(`${postgrest.url}/rpc/post`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"body": {"by": "anon"}}',
  })
  t.is(answer.status, 200)
  await until(() => arrived.length > 0, 'the request')
  t.is(arrived[0].body, '{"by": "anon"}')
})

test.serial('a request that takes too long ends', async (t) => {
  const text = `select net.http_post('${server.url}/never', timeout_milliseconds => 50) as id`
  const [{ id }] = await postgres.sql(text)
  await net.idle()
  const [response] = await postgres.sql('select * from net._http_response where id = $1', [id])
  t.like(response, { status_code: null, timed_out: true })
})
