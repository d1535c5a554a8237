/** Tells a worker of a provider that comes, and of one that goes. */
import { transfer } from 'comlink';
import { failureOf } from '../../protocol/errors.ts';
import type { ProviderMessage } from '../../protocol/service.ts';
import type { FileQueue } from '../queue/file-queue.ts';
import type { Member } from '../queue/member.ts';
import { passwordAnswers } from './password-answers.ts';
import type { WorkerLink } from './worker-link.ts';

/**
 * Makes a provider known to the worker, which opens its file; again, if that failed before. A batch that is shared comes before that:
 * what the provider calls belongs to the next one.
 */
export function sendAttach(link: WorkerLink, queue: FileQueue, member: Member): void {
  queue.completeBatch();
  const { Password, ...settings } = member.settings;
  const { snapshotFailure: last } = member;
  const message: ProviderMessage = {
    ...queue.location,
    ...settings,
    member: member.id,
    file: queue.id,
    delays: queue.observer.delays.shared,
    password: member.password,
    storeId: member.storeId,
    exclusive: settings.Ownership === 'exclusive',
    // one that leaves may have given its store back, although nobody has heard of that: whoever has opened it since owns it
    owned: member.wasOwned && member.onDetach === undefined,
    snapshotFailure: last && { batch: last.batch, failure: failureOf(last.failure) },
    failedSaves: Array.from(member.failedSaves, (save) => ({ ...save, failure: failureOf(save.failure) })),
  };
  const port = Password === undefined ? undefined : passwordAnswers(Password);
  link.call(
    (service) => (port === undefined ? service.attach(message) : service.attach(message, transfer(port, [port]))),
    (report) => member.attached(report),
  );
}

/** Makes the worker forget a provider; with a file's last one, it closes the file. */
export function sendDetach(link: WorkerLink, member: Member): void {
  link.call(
    (service) => service.detach(member.id),
    (report) => member.onDetach?.(report),
  );
}
