/*-------------------------------------------------------------------------
 *
 * libraryfile.h
 *		The file that this copy of the library was loaded from.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_LIBRARYFILE_H
#define SSLPOLICY_LIBRARYFILE_H

typedef enum LibraryFileState
{
	LIBRARY_FILE_UNKNOWN,
	LIBRARY_FILE_SAME,
	LIBRARY_FILE_REPLACED,		/* there is another file in its place */
	LIBRARY_FILE_GONE
} LibraryFileState;

extern void note_library_file(void);
extern LibraryFileState library_file_state(char **version);

#endif							/* SSLPOLICY_LIBRARYFILE_H */
