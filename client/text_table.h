// Columns of text for people, and text from elsewhere made fit for a terminal.
#ifndef LOCKSTEP_CLIENT_TEXT_TABLE_H_
#define LOCKSTEP_CLIENT_TEXT_TABLE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace lockstep::client {

// Every column as wide as its widest cell, three spaces between columns, no
// spaces at a line's end, "-" for an empty cell. Cells go through Printable().
// Rows may be of different lengths.
std::string FormatTable(const std::vector<std::vector<std::string>>& rows);

// `text` with control characters replaced by `?`: what a server or a peer
// sends must not be able to steer the terminal.
std::string Printable(absl::string_view text);

// "45s", "3m20s", "2h05m", "4d03h": for ages and times to go; "0s" if negative.
std::string ShortDuration(absl::Duration duration);

// "941", "52.3k", "1.20M": three digits that matter.
std::string ShortCount(double count);

// "97.12 %".
std::string Percent(double part);

// A loss with four decimals, or as 1.234e-07 where those would show nothing.
std::string Loss(double loss);

}  // namespace lockstep::client

#endif  // LOCKSTEP_CLIENT_TEXT_TABLE_H_
