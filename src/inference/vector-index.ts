/** What finds the passages nearest to a vector among those of an organization, as requests see it. */

/** What is stored of one version of a model for one organization, as of a moment: the answer is no older than that. */
export interface VectorSet {
  readonly organizationId: string;
  readonly version: string;
  /** How many vectors there are. */
  readonly passages: number;
  /** Of the last change, and of the last one that took vectors away. */
  readonly revision: number;
  readonly deletedRevision: number;
}

export interface NearestRequest {
  readonly set: VectorSet;
  /** A unit vector, of as many numbers as the stored ones. */
  readonly vector: Float32Array;
  /** Most documents. */
  readonly limit: number;
  /** The least cosine that is a match. */
  readonly minScore: number;
  readonly signal: AbortSignal;
}

/** A document by the one of its passages that is nearest. */
export interface NearDocument {
  readonly documentId: string;
  readonly position: number;
  /** The cosine, rounded to 6 digits: what differs by less is equal. */
  readonly score: number;
}

export interface VectorIndex {
  /**
   * The documents with the nearest passages, nearest first, equally near ones by id.
   * Rejects with the signal's reason when it is aborted.
   */
  nearest(request: NearestRequest): Promise<NearDocument[]>;
}
