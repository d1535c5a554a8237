/** The main process: `electron main.mjs`. */
import { join } from 'node:path';
import { app, BrowserWindow, ipcMain } from 'electron';
import { Documents } from './documents.mjs';

await app.whenReady();
const documents = new Documents(join(app.getPath('userData'), 'notes.db'));

ipcMain.handle('show', ({ sender }, name) =>
  documents.show(name, sender, (update) => {
    if (!sender.isDestroyed()) sender.send('changed', name, update);
  }),
);
ipcMain.on('change', ({ sender }, name, update) => documents.change(name, sender, update));

function openWindow() {
  const window = new BrowserWindow({ webPreferences: { preload: join(import.meta.dirname, 'preload.cjs') } });
  const { webContents } = window;
  window.once('closed', () => documents.leave(webContents).catch(console.error));
  void window.loadFile('window.html');
}

openWindow();
app.on('activate', openWindow);

let isStored = false;
app.on('will-quit', (event) => {
  if (isStored) return;
  event.preventDefault();
  documents
    .close()
    .catch(console.error)
    .finally(() => {
      isStored = true;
      app.quit();
    });
});
