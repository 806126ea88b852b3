// What happens to the table of lenses, and what Supabase would tell of it.

/**
 * Edits a lens.
 *
 * @param {(text: string, params?: unknown[]) => Promise<object[]>} sql
 * @param {string} id
 * @param {string} title
 * @returns {Promise<object>} the body of the webhook for it
 */
export async function editLens(sql, id, title) {
  const [before] = await sql('select * from lenses where id = $1', [id])
  const [after] = await sql('update lenses set title = $2 where id = $1 returning *', [id, title])
  return {
    type: 'UPDATE',
    schema: 'public',
    table: 'lenses',
    record: after,
    old_record: before,
  }
}
