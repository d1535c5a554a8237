/** What a window may ask of the main process. */
const { contextBridge, ipcRenderer } = require('electron');

contextBridge.exposeInMainWorld('documents', {
  show: (name) => ipcRenderer.invoke('show', name),
  change: (name, update) => ipcRenderer.send('change', name, update),
  onChange: (heard) => ipcRenderer.on('changed', (_event, name, update) => heard(name, update)),
});
