/** What a server needs behind the hooks of all extensions, so that none of its documents is lost, or stays for ever. */
import { nextTurn, Promise } from '../protocol/surroundings.ts';
import type { DocumentPayload, HocuspocusServer } from './hocuspocus.ts';

/** An extension, without state: one for all servers. */
export const behindAll = {
  priority: Number.NEGATIVE_INFINITY,

  /**
   * A document is unloaded a turn behind all hooks: whoever was given it before is connected to it by then, and the server, which
   * looks once more, keeps it.
   */
  async beforeUnloadDocument(payload: DocumentPayload): Promise<void> {
    await nextTurn();
    refuseReplaced(payload);
  },

  async afterUnloadDocument({ instance, documentName }: Omit<DocumentPayload, 'document'>): Promise<void> {
    void unloadOther(instance, documentName);
  },

  /**
   * What a client has sent before it left may still be in hooks when the document is unloaded: it would be acknowledged, and
   * stored nowhere.
   */
  async beforeSync({ document, documentName }: Omit<DocumentPayload, 'instance'>): Promise<void> {
    if (!document.isDestroyed) return;
    throw new Error(`document ${JSON.stringify(documentName)} was unloaded: what comes now stays with its client`);
  },
};

/**
 * A timer of the server that is late would drop the document that has the name now.
 *
 * @throws undefined - without a message, the server logs nothing
 */
export function refuseReplaced({ instance, document, documentName }: DocumentPayload): void {
  if (instance.documents.get(documentName) === document) return;
  void unloadOther(instance, documentName);
  throw undefined;
}

/** The server unloads one document of a name at a time, and takes that for the unloading of another one, which was left meanwhile. */
async function unloadOther(instance: HocuspocusServer, name: string): Promise<void> {
  await nextTurn(); // by which the first one is done
  const other = instance.documents.get(name);
  // if it was left; what a hook throws was logged
  if (other !== undefined) await Promise.allSettled([instance.unloadDocument(other as never)]);
}
