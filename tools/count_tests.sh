#!/usr/bin/env bash
# Counts the test cases of one `bazel test` run and prints
#   N passed, N failed, N skipped
# Exits with 1 where any failed, where Bazel itself failed, or where none ran.
#
# Usage: tools/count_tests.sh EVENTS BAZEL_EXIT_CODE
#   EVENTS: what --build_event_json_file wrote. It, not the folder of test
#   results, says what ran: the folder also holds the results of earlier runs.
#
# A GoogleTest binary counts its cases; skipped and disabled ones are "skipped".
# Any other test counts as one case. A test that failed without saying which
# case (it crashed, ran out of time, was not built, or failed at exit) counts
# one failure more than its cases say.
set -euo pipefail

if [ $# -ne 2 ] || [ ! -r "$1" ]; then
  echo "count_tests.sh: got $# arguments, want a readable event file and Bazel's exit code" >&2
  exit 2
fi

awk -v bazel_exit="$2" '
  # The string value of the first "key":"value" in text, or "".
  function json_string(text, key,    at) {
    at = index(text, "\"" key "\":\"")
    if (at == 0) return ""
    text = substr(text, at + length(key) + 4)
    return substr(text, 1, index(text, "\"") - 1)
  }

  # The number of an XML attribute in a tag; 0 where it is not there.
  function attribute(tag, name) {
    if (!match(tag, " " name "=\"[0-9]+\"")) return 0
    return substr(tag, RSTART + length(name) + 3, RLENGTH - length(name) - 4) + 0
  }

  # The line without its CDATA parts, which may hold anything, tags too.
  function without_cdata(line,    kept, at) {
    kept = ""
    while (line != "") {
      if (in_cdata) {
        at = index(line, "]]>")
        if (at == 0) return kept
        in_cdata = 0
        line = substr(line, at + 3)
      } else {
        at = index(line, "<![CDATA[")
        if (at == 0) return kept line
        in_cdata = 1
        kept = kept substr(line, 1, at - 1)
        line = substr(line, at + 9)
      }
    }
    return kept
  }

  # Sums the suites of a test.xml into xml_tests, xml_failed, xml_skipped.
  # Returns whether the file could be read.
  function read_xml(path,    line, readable) {
    xml_tests = xml_failed = xml_skipped = in_cdata = readable = 0
    if (path == "") return 0
    while ((getline line < path) > 0) {
      readable = 1
      line = without_cdata(line)
      if (line !~ /<testsuite /) continue
      xml_tests += attribute(line, "tests")
      xml_failed += attribute(line, "failures") + attribute(line, "errors")
      xml_skipped += attribute(line, "disabled") + attribute(line, "skipped")
    }
    close(path)
    return readable
  }

  /^\{"id":\{"targetConfigured":/ && /"testSize":/ {
    is_test[json_string($0, "label")] = 1
  }

  # Not meant for this kind of machine (target_compatible_with).
  /^\{"id":\{"targetCompleted":/ && /"reason":"SKIPPED"/ {
    not_for_us[json_string($0, "label")] = 1
  }

  # A test that is tried again reports again; its last attempt counts.
  /^\{"id":\{"testResult":/ {
    label = json_string($0, "label")
    key = substr($0, 1, index($0, ",\"attempt\":"))
    reported[label] = 1
    result_status[key] = json_string($0, "status")
    at = index($0, "\"name\":\"test.xml\"")
    xml_path[key] = at ? json_string(substr($0, at), "uri") : ""
    sub(/^file:\/\//, "", xml_path[key])
  }

  END {
    passed = failed = skipped = 0
    for (label in is_test) {
      if (label in reported) continue
      if (label in not_for_us) {
        ++skipped
        continue
      }
      print "Did not run: " label
      ++failed
    }
    for (key in result_status) {
      good = result_status[key] == "PASSED" || result_status[key] == "FLAKY"
      if (!read_xml(xml_path[key])) {
        xml_tests = 1
        xml_failed = !good
      }
      passed += xml_tests - xml_failed - xml_skipped
      failed += xml_failed + (!good && xml_failed == 0)
      skipped += xml_skipped
    }
    no_tests_found = 4  # exit code of `bazel test`
    if (bazel_exit != 0 && bazel_exit != no_tests_found && failed == 0) {
      print "Bazel failed outside the tests, with exit code " bazel_exit "; counted as one failure."
      ++failed
    }
    printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
    exit failed > 0 || passed == 0
  }
' "$1"
