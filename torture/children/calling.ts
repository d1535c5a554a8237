/** Another program with providers of its own: opens, calls and closes them as it is told, and sends back what it gets. */
import { SDS_DesktopPersistenceProvider } from 'sds-persistence-worker';
import type { Call } from '../model.ts';
import type { Request } from '../other-process.ts';
import { perform } from '../perform.ts';
import { codeOf } from '../rig.ts';

const providers = new Map<string, SDS_DesktopPersistenceProvider>();

function carryOut({ path, store, what, options }: Request): Promise<unknown> {
  const name = JSON.stringify([path, store]);
  if (what === 'open') {
    const provider = new SDS_DesktopPersistenceProvider(path, store, { OnClockCollision: 'ignore', ...options });
    providers.set(name, provider);
    return provider.ready();
  }
  const provider = providers.get(name);
  if (provider === undefined) return Promise.reject(new Error(`there is no provider ${name}`));
  if (what !== 'close') return performed(provider, what);
  providers.delete(name);
  return provider.close();
}

/** The answer, once the other process sees what the call has done. */
async function performed(provider: SDS_DesktopPersistenceProvider, call: Call): Promise<unknown> {
  const answering = perform(provider, call);
  // asked for at once: the next request may be to close. What it rejects with, the call that failed has answered
  await Promise.allSettled([answering, provider.flush()]);
  return answering;
}

process.on('message', (request: Request) => {
  const { id } = request;
  void carryOut(request)
    .catch(codeOf)
    .then((answer) => process.send?.({ id, answer }));
});
