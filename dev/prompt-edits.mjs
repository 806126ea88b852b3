// What the admin console does to the table of prompts.

/**
 * Activates a new prompt as the console does: archive the active row, then add the new one as active. Between the two
 * steps no row is active.
 *
 * @param {(text: string, params?: unknown[]) => Promise<object[]>} sql
 * @param {object} prompt a payload, or `{ title, payload }`
 * @returns {Promise<object>} the new row
 */
export async function activatePrompt(sql, prompt) {
  const { title = 'Edited prompt', payload = prompt } = prompt
  await sql(`update system_prompts set status = 'archived' where status = 'active'`)
  const [row] = await sql(
    `insert into system_prompts (title, status, payload, created_at, updated_at)
     values ($1, 'active', $2, clock_timestamp(), clock_timestamp()) returning *`,
    [title, payload],
  )
  return row
}

/**
 * Edits the active prompt in place.
 *
 * @param {(text: string, params?: unknown[]) => Promise<object[]>} sql
 * @param {object} partialPayload replaces these keys of the payload
 * @returns {Promise<object>} the row after the edit
 */
export async function editActivePrompt(sql, partialPayload) {
  const [row] = await sql(
    `update system_prompts set payload = payload || $1::jsonb
     where status = 'active' returning *`,
    [partialPayload],
  )
  return row
}
