/** What a server, or a pooler, says of an error (https://www.postgresql.org/docs/current/protocol-error-fields.html). */

/** With that it takes the next request. */
export function errorResponse(fields: { severity: string; code: string; message: string; routine?: string }): Buffer {
  const { severity, code, message, routine = 'some' } = fields;
  const said = Buffer.from(`S${severity}\0V${severity}\0C${code}\0M${message}\0R${routine}\0\0`);
  const head = Buffer.alloc(5);
  head.write('E');
  head.writeInt32BE(4 + said.byteLength, 1);
  return Buffer.concat([head, said, Buffer.from('Z\0\0\0\x05I')]);
}
