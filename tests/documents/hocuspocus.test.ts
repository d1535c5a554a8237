/** A real server and real clients: what they type is there for who comes next, and in the next server. */
import { describe, expect, it, vi } from 'vitest';
import { sqlite } from '../support/files.ts';
import { describeOnPostgresql, postgresql } from '../support/postgresql.ts';
import { connect, serve, storedText, unloaded } from './hocuspocus-server.ts';

const suite = (freshPlace: () => Promise<string>) => () => {
  it('two clients type; all of it is there when the server has gone, and in the next one', async () => {
    const place = await freshPlace();
    const first = await serve(place);
    const [one, other] = [await connect(first.url), await connect(first.url)];
    one.type('one types ');
    other.type('the other too ');
    await vi.waitFor(() => expect(one.text()).toHaveLength(24));
    await vi.waitFor(() => expect(other.text()).toBe(one.text()));
    await Promise.all([one.heard(), other.heard()]);
    await first.server.destroy();
    const second = await serve(place);
    const next = await connect(second.url);
    expect(next.text()).toBe(one.text());
  });

  it('the last client leaves and another one comes, again and again: nothing is lost between', async () => {
    const place = await freshPlace();
    const served = await serve(place);
    for (let round = 0; round < 10; round++) {
      const client = await connect(served.url);
      expect(client.text()).toBe('0123456789'.slice(0, round));
      client.type(String(round));
      await client.heard();
      client.leave();
    }
    await unloaded(served);
    await served.server.destroy();
    expect(await storedText(place)).toBe('0123456789');
  });
};

describe('SQLite', suite(sqlite.freshPlace));
describeOnPostgresql('PostgreSQL', suite(postgresql.freshPlace));
