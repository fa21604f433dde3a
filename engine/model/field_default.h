// Sets a field of a message where it is not set.
#ifndef LOCKSTEP_ENGINE_MODEL_FIELD_DEFAULT_H_
#define LOCKSTEP_ENGINE_MODEL_FIELD_DEFAULT_H_

// A macro, as protobuf's accessors have the field's name in theirs.
#define LOCKSTEP_DEFAULT(message, field, value) \
  if (!(message)->has_##field()) (message)->set_##field(value)

#endif  // LOCKSTEP_ENGINE_MODEL_FIELD_DEFAULT_H_
