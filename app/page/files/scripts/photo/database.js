// The browser's own database: the visitor's photos and the gallery. Nothing of it leaves the browser.

const NAME = "mirage";
const VERSION = 1;
/** @type {Promise<IDBDatabase> | null} */
let opened = null;

function open() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => {
      for (const store of ["photos", "gallery"]) request.result.createObjectStore(store, { keyPath: "id" });
    };
    request.onsuccess = () => {
      // The browser closes it when its data are deleted: the next request opens it again.
      request.result.onclose = () => (opened = null);
      request.result.onversionchange = () => {
        request.result.close();
        opened = null;
      };
      resolve(request.result);
    };
    request.onerror = () => reject(request.error);
  });
  opened.catch(() => (opened = null));
  return opened;
}

/**
 * @template Result
 * @param {"photos" | "gallery"} store
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest<Result>} ask
 * @returns {Promise<Result>}
 */
async function ask(store, mode, ask) {
  const database = await open();
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(store, mode);
    const request = ask(transaction.objectStore(store));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = () => reject(transaction.error);
    transaction.onabort = () => reject(transaction.error);
  });
}

/**
 * Everything in a store, the newest first.
 * @template {{id: string, time: number}} Item
 * @param {"photos" | "gallery"} store
 * @returns {Promise<Item[]>}
 */
export async function all(store) {
  const items = await ask(store, "readonly", (items) => items.getAll());
  return items.sort((one, two) => two.time - one.time);
}

/**
 * The item with this id; undefined if there is none.
 * @template {{id: string, time: number}} Item
 * @param {"photos" | "gallery"} store
 * @param {string} id
 * @returns {Promise<Item | undefined>}
 */
export function one(store, id) {
  return ask(store, "readonly", (items) => items.get(id));
}

/**
 * Adds an item or replaces the one with its id, and deletes the oldest where there are more than `most`.
 * @param {"photos" | "gallery"} store
 * @param {{id: string, time: number}} item
 * @param {number} most
 */
export async function keep(store, item, most) {
  await ask(store, "readwrite", (items) => items.put(item));
  for (const old of (await all(store)).slice(most)) await forget(store, old.id);
}

/**
 * @param {"photos" | "gallery"} store
 * @param {string} id
 */
export async function forget(store, id) {
  await ask(store, "readwrite", (items) => items.delete(id));
}
