/**
 * Which file systems count the blocks of a file so that holes can be told from the count.
 *
 * Where everything in front of an address was written, and the file has no more blocks than that takes, the rest is a
 * hole: nobody has to read a gigabyte to learn that it is zeros. That is not so where data takes less than its length.
 * ZFS, btrfs, F2FS and bcachefs compress, ZFS counts a write only seconds later, and what is below an overlay or
 * across a network cannot be known: a file full of data may have few blocks there.
 */

/** By the type that `statfs` tells. */
const counting: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
  0x01021994, // tmpfs
])

/** Whether data never takes fewer blocks than its length, on file systems of a type; those that are not known may do all. */
export function countsData(fileSystemType: number): boolean {
  return counting.has(fileSystemType)
}
