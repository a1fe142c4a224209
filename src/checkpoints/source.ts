// What a file may be given as: by what is used of it, so that the declarations need neither the DOM's types nor Node's.

/** A `Blob` or `File`, by what is used of it. */
export interface BlobSource {
  /** The number of bytes. */
  readonly size: number;
  /**
   * A part of the bytes.
   *
   * @param begin The offset of its first byte.
   * @param end The offset behind its last byte.
   */
  slice(
    begin: number,
    end: number,
  ): {
    /** The bytes of the part. */
    arrayBuffer(): Promise<ArrayBuffer>;
  };
}

/** A file that Node's `fs.promises.open` opened, by what is used of it. The caller closes it. */
export interface FileSource {
  /**
   * Reads bytes of the file into a part of a buffer.
   *
   * @param buffer The buffer.
   * @param offset Where the part begins in the buffer.
   * @param length The number of bytes that are wanted.
   * @param position Where they begin in the file.
   */
  read(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{
    /** The number of bytes that were read. */
    readonly bytesRead: number;
  }>;
  /** The size of the file, among other things. */
  stat(): Promise<{
    /** The number of bytes. */
    readonly size: number;
  }>;
}

/** A `Response` of `fetch`, by what is used of it. It is read as a whole. */
export interface ResponseSource {
  /** Whether the status is one of success. */
  readonly ok: boolean;
  /** The status. */
  readonly status: number;
  /** The bytes of the body. */
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** A `URL`, which is fetched. */
export interface UrlSource {
  /** The address. */
  readonly href: string;
}

/**
 * What holds a file: its bytes in memory, a `Blob` or `File` of a page, a file of Node, a `Response`, or a `URL`. Of a
 * URL only the parts that are needed are fetched, if the server answers requests for ranges. Of a `Blob` and a file only
 * those are read.
 */
export type CheckpointSource = ArrayBufferLike | ArrayBufferView | BlobSource | FileSource | ResponseSource | UrlSource;
