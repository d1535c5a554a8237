/** A server of the example keeps what it has, and goes on, whatever an editor sends. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { Editor } from '../editor.ts';
import { closeCodes, encode, kinds } from '../protocol.ts';
import { ServerProcess } from '../server-process.ts';

/** On a file: one server is enough here, and the provider is the same class. */
async function startServer(): Promise<ServerProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'sds-two-servers-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return ServerProcess.start('only', join(folder, 'documents.db'), 1000, (kill) => onTestFinished(kill));
}

function editorAt(server: ServerProcess, document: string): Editor {
  const editor = new Editor(document, [server], 5000);
  onTestFinished(() => editor.close());
  return editor;
}

/** Says these things one after the other, each after an answer. @returns the code with which the connection ends */
function endAfter(url: string, ...messages: (Uint8Array | string)[]): Promise<number> {
  const socket = new WebSocket(url);
  const next = () => {
    const message = messages.shift();
    if (message !== undefined) socket.send(message);
  };
  socket.on('open', next);
  socket.on('message', next);
  return new Promise((resolve, reject) => socket.once('error', reject).once('close', resolve));
}

const hello = encode(kinds.hello, 0, new Uint8Array([0]));

describe('a server', () => {
  it.each<[string, (Uint8Array | string)[]]>([
    ['nothing', [new Uint8Array()]],
    ['text', ['hello']],
    ['a message of no kind', [encode(77, 1)]],
    ['what only a server says', [encode(kinds.durable, 1)]],
    ['an edit before hello', [encode(kinds.edit, 1, new Uint8Array([0, 0]))]],
    ['a state vector that is none', [encode(kinds.hello, 0, new Uint8Array([255]))]],
    ['an edit of no bytes', [hello, encode(kinds.edit, 1)]],
    ['an edit that is none of Yjs', [hello, encode(kinds.edit, 1, new Uint8Array([1, 1, 255, 255, 255, 255]))]],
  ])('ends the connection that sends %s, and no other', async (_, messages) => {
    const server = await startServer();
    const editor = editorAt(server, 'story');
    await editor.until(() => editor.servedBy !== undefined);
    editor.text.insert(0, 'before ');
    expect(await endAfter(`${server.url}/story`, ...messages)).toBe(closeCodes.notUnderstood);
    editor.text.insert(7, 'and after');
    await editor.until(() => editor.allAcknowledged);

    // and what is stored can be read by the next who opens it
    editor.close();
    await server.stays[0]?.ended;
    const reader = editorAt(server, 'story');
    await reader.until(() => reader.servedBy !== undefined);
    expect(reader.text.toString()).toBe('before and after');
  });

  it('has no documents with names that are none', async () => {
    const server = await startServer();
    for (const name of ['', '/', 'a/b', '%E0%A4%A', 'x'.repeat(65), '..%2f']) {
      expect(await endAfter(`${server.url}/${name}`)).toBe(closeCodes.notUnderstood);
    }
    const editor = editorAt(server, 'story');
    await editor.until(() => editor.servedBy !== undefined);
  });

  it('gives a document back once the last editor has left, and has it again for the next', async () => {
    const server = await startServer();
    const [first, second] = [editorAt(server, 'story'), editorAt(server, 'story')];
    await Promise.all([first, second].map((editor) => editor.until(() => editor.servedBy !== undefined)));
    first.text.insert(0, 'Once ');
    await second.until(() => second.text.toString() === 'Once ');
    first.close();
    second.text.insert(5, 'upon');
    await second.until(() => second.allAcknowledged);
    const [stay] = server.present;
    expect(stay).toMatchObject({ document: 'story', found: 0, left: undefined });
    second.close();
    await stay?.ended;
    expect(stay?.left).toBe(2);
    const third = editorAt(server, 'story');
    await third.until(() => third.text.toString() === 'Once upon');
    expect(server.present).toMatchObject([{ document: 'story', found: 2 }]);
  });
});
