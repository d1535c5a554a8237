/** The providers that a worker knows, or is to know: each from its attach to its detach. */
import { transfer } from 'comlink';
import { failureOf, reportedOf } from '../../protocol/errors.ts';
import type { ProviderMessage, Report } from '../../protocol/service.ts';
import { Promise } from '../../protocol/surroundings.ts';
import type { FileQueue } from '../queue/file-queue.ts';
import type { Member } from '../queue/member.ts';
import { passwordAnswers } from './password-answers.ts';
import type { WorkerLink } from './worker-link.ts';

interface Registration {
  member: Member;
  queue: FileQueue;
  /** Who waits for an attach. */
  onAttach: ((report: Report) => void)[];
  onDetach: ((report: Report) => void) | undefined;
}

export class Registry {
  readonly #registrations = new Map<number, Registration>();

  /** Makes a provider known to the worker, which opens its file; again, if that failed before. */
  attach(link: WorkerLink, queue: FileQueue, member: Member): Promise<Report> {
    return new Promise((resolve) => {
      const known = this.#registrations.get(member.id);
      const registration = known ?? { member, queue, onAttach: [], onDetach: undefined };
      this.#registrations.set(member.id, registration);
      registration.onAttach.push(resolve);
      this.#sendAttach(link, registration);
    });
  }

  #sendAttach(link: WorkerLink, registration: Registration): void {
    const message = messageOf(registration);
    const { Password } = registration.member.settings;
    const port = Password === undefined ? undefined : passwordAnswers(Password);
    link.call(
      (service) => (port === undefined ? service.attach(message) : service.attach(message, transfer(port, [port]))),
      (report) => {
        if (report.error === undefined) registration.member.wasOpened = true;
        for (const settle of registration.onAttach.splice(0)) settle(report);
      },
    );
  }

  /** Makes the worker forget a provider; with a file's last one, it closes the file. */
  detach(link: WorkerLink, member: Member): Promise<Report> {
    return new Promise((resolve) => {
      const registration = this.#registrations.get(member.id);
      if (registration === undefined) return resolve({});
      registration.onDetach = resolve;
      this.#sendDetach(link, registration);
    });
  }

  #sendDetach(link: WorkerLink, registration: Registration): void {
    const { id } = registration.member;
    link.call(
      (service) => service.detach(id),
      (report) => {
        this.#registrations.delete(id);
        registration.onDetach?.(report);
      },
    );
  }

  /** Tells a new worker of all providers; then of those that leave, of which nothing is pending. */
  tellAgain(link: WorkerLink): void {
    const registrations = [...this.#registrations.values()];
    for (const registration of registrations) this.#sendAttach(link, registration);
    for (const registration of registrations)
      if (registration.onDetach !== undefined) this.#sendDetach(link, registration);
  }

  /** The providers of a queue, which is given up, are known to no other worker. */
  forget(queue: FileQueue, reason: unknown): void {
    for (const registration of this.#registrations.values()) {
      if (registration.queue !== queue) continue;
      this.#registrations.delete(registration.member.id);
      for (const settle of registration.onAttach.splice(0)) settle(lostReport(reason));
      registration.onDetach?.({});
    }
  }
}

function messageOf({ member, queue, onDetach }: Registration): ProviderMessage {
  const { settings } = member;
  return {
    member: member.id,
    file: queue.id,
    dbPath: queue.dbPath,
    delays: queue.observer.delays.shared,
    parameters: queue.location.parameters,
    transient: queue.location.transient,
    ...(queue.location.server === undefined ? {} : { server: queue.location.server }),
    password: member.password,
    storeId: member.storeId,
    full: settings.Durability === 'full',
    busyTimeoutMs: settings.BusyTimeoutMs,
    verifyValues: settings.VerifyValues,
    exclusive: settings.Ownership === 'exclusive',
    // one that leaves may have given its store back, although nobody has heard of that: whoever has opened it since owns it
    owned: member.wasOwned && onDetach === undefined,
    snapshotFailure: member.snapshotFailure && failureOf(member.snapshotFailure),
    unsavedValues: Array.from(member.unsavedValues, ([key, { saves, error }]) => ({
      key,
      saves,
      failure: failureOf(error),
    })),
  };
}

/** What an attach comes to without a worker. */
export function lostReport(reason: unknown): Report {
  return { error: { code: 'worker-lost', cause: reportedOf(reason) } };
}
