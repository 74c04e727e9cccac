/* mail/charset_tables.h: what tools/make-charset-tables makes. 0: no character. Only for mail/charset*.c. */
#pragma once
#include <stdint.h>

/* Bytes 128 to 255. */
extern const uint16_t table_iso_8859_2[128], table_iso_8859_3[128], table_iso_8859_4[128],
    table_iso_8859_5[128], table_iso_8859_6[128], table_iso_8859_7[128], table_iso_8859_8[128],
    table_iso_8859_10[128], table_iso_8859_13[128], table_iso_8859_14[128], table_iso_8859_15[128],
    table_iso_8859_16[128], table_windows_874[128], table_windows_1250[128], table_windows_1251[128],
    table_windows_1252[128], table_windows_1253[128], table_windows_1254[128], table_windows_1255[128],
    table_windows_1256[128], table_windows_1257[128], table_windows_1258[128], table_koi8_r[128],
    table_koi8_u[128], table_macintosh[128], table_x_mac_cyrillic[128], table_ibm437[128],
    table_ibm850[128], table_ibm852[128], table_ibm858[128], table_ibm866[128];

/* By the pointers of the WHATWG Encoding Standard. */
#define JIS0208_COUNT (120 * 94)
#define JIS0212_COUNT (94 * 94)
#define EUC_KR_COUNT (126 * 190)
#define GB18030_COUNT (126 * 190)
#define BIG5_COUNT (126 * 157)
extern const uint16_t table_jis0208[JIS0208_COUNT], table_jis0212[JIS0212_COUNT],
    table_euc_kr[EUC_KR_COUNT], table_gb18030[GB18030_COUNT], table_big5[BIG5_COUNT];
extern const uint16_t table_big5_plane2[(BIG5_COUNT + 15) / 16]; /* a bit each: add 0x20000 */

/* Runs of code points that four bytes of GB18030 count. */
#define GB18030_RUNS 206
extern const uint16_t table_gb18030_counts[GB18030_RUNS], table_gb18030_firsts[GB18030_RUNS];
